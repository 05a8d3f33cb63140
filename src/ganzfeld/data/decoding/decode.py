"""From the bytes of one image file to the pixels that are trained on: the only place that decodes.

The rules, each tested with a real file:

- Formats are those of ``FORMATS`` and no others, whatever the name of the file says; the file is decoded
  whole, so a truncated one is found here.
- An image of more than ``MOST_PIXELS`` is refused from its header, before any memory is taken. One of more
  than ``ALONE_PIXELS`` is decoded by one process at a time: see ``turn``.
- A large JPEG is decoded at 1/2, 1/4 or 1/8 of its size, at least twice the size wanted (Pillow's draft).
- EXIF orientation is applied. Colour profiles are not.
- 16-bit grey is divided by 257 and rounded (12-bit grey of a TIFF: by 4095/255), and turned round where the
  TIFF says that white is zero; 16-bit colour keeps its upper byte. 1-bit becomes 0 and 255. Palettes become
  colour, CMYK becomes RGB by Pillow's formula. 32-bit integers, floats and signed samples have no agreed
  range: refused. With a range, its ends become black and white instead, whatever the bits.
- Sheets and figures that carry the mark of this program (``ganzfeld.output``) are refused; samples are not.
- Transparent pixels show the background. Of an animation, one frame is taken.
"""

import logging
import warnings
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from PIL import Image, ImageOps, TiffImagePlugin, UnidentifiedImageError

from ganzfeld.data.decoding.deep_colour import (
    apply_range_to_16_bit_colour,
    has_lower_bytes,
    is_16_bit_colour,
    values_of_16_bit_colour,
)
from ganzfeld.data.decoding.extent import Look, Strips, levels_and_stored
from ganzfeld.data.decoding.frames import at_frame, count_frames, count_hidden
from ganzfeld.data.decoding.preprocessing import Preprocessing
from ganzfeld.data.decoding.samples import LEVELS, UNKNOWN, Stored, level_table, to_bytes
from ganzfeld.data.decoding.strips import colours, colours_seen, is_clear, is_see_through
from ganzfeld.data.decoding.tiff_bands import (
    BITS_PER_SAMPLE,
    PHOTOMETRIC,
    SAMPLE_FORMAT,
    WHITE_IS_ZERO,
    take_for_opacity,
    unnamed_fourth,
    why_not_read,
    why_unknown,
)
from ganzfeld.errors import GanzfeldError
from ganzfeld.output import Mark

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "AVIF")
# 134 megapixels are 0.5 GiB decoded, and twice that for a moment where the image is turned. The decoders of
# WebP and AVIF hold 16 and 9 bytes a pixel. So one image takes a process about 1 GiB at most.
MOST_PIXELS = 2**27
MOST_PIXELS_OF = {"WEBP": 2**26, "AVIF": 2**26}
ALONE_PIXELS = 2**25
MOST_BYTES = 2**29

turn: Callable[[], AbstractContextManager] = nullcontext
"""Held while an image of more than ``ALONE_PIXELS`` is decoded. A process beside others sets a lock here."""

# Or what it says of a broken file appears on the terminal of whoever has not set up logging.
logging.getLogger("PIL").addHandler(logging.NullHandler())

_STORED_GREY = frozenset({"1", "L", "LA", "La", "I", "I;16", "I;16L", "I;16B", "I;16N"})
_SIDEWAYS = frozenset({5, 6, 7, 8})  # the EXIF orientations that swap width and height
_ORIENTATION = 0x0112
_SIGNED = 2  # the sample format of a TIFF
_WHITE_OF_16_BITS = 65_535
_OURS = {mark.text: mark for mark in Mark if mark not in (Mark.SAMPLE, Mark.RUN_SHEET)}
_WITH_OPACITY = frozenset({"LA", "La", "PA", "RGBA", "RGBa"})
_A_BAND = "a band more than 1 or 3, which is not trained on yet; --alpha none leaves it out"
_GIVE_RANGE = "say it with --range LOW:HIGH, or save it with 8 or 16 bits"
_OTHER_KINDS = {
    b"%!PS": "PostScript",
    b"\xc5\xd0\xd3\xc6": "PostScript",
    b"<svg": "SVG",
    b"<?xml": "SVG or other XML",
    b"<!DOC": "a web page",
    b"<html": "a web page",
    b"%PDF": "PDF",
    b"8BPS": "Photoshop",
    b"PK\x03\x04": "a zip archive",
    b"\x00\x00\x00\x18ftyphe": "HEIC",
    b"\x00\x00\x00\x24ftyphe": "HEIC",
    b"\x00\x00\x00\x0cjP": "JPEG 2000",
    b"version https://git-lfs": "a Git LFS pointer, not the file itself",
}


class UnusableImage(Exception):
    """One image cannot be used; the text is the reason, worded to follow the name of the file."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """An image brought to the training size, and what it was before.

    ``pixels`` is uint8 (height, width, channels); ``width``, ``height``, ``format`` and ``mode`` (Pillow's
    names) are those of the file, upright; ``grey`` says that the file stores no colour. ``levels`` are the
    darkest and the brightest of what is seen but for outliers, ``stored`` holds the values they come from
    where the image uses less than half of the levels or a range was given, and is unknown elsewhere; see
    ``extent.py``. ``assumed`` is what a fourth channel was taken for that nothing says more about,
    ``num_frames`` counts those in the file, ``clear`` says that all of it is transparent, ``num_hidden``
    counts the images in the file that are no frames.
    """

    pixels: np.ndarray
    width: int
    height: int
    format: str
    mode: str
    grey: bool
    levels: tuple[int, int]
    stored: Stored = UNKNOWN
    assumed: str = ""
    num_frames: int = 1
    clear: bool = False
    num_hidden: int = 0


def decode_file(content: bytes, framing: Preprocessing, frame: int = 0) -> Decoded:
    """Decodes one frame of an image file; raises ``UnusableImage`` with the reason if it cannot."""
    if not content:
        raise UnusableImage("empty file")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a doubtful EXIF block or palette is no reason to bother anyone
        try:
            return _decoded(content, framing, frame)
        except (UnusableImage, GanzfeldError):
            raise
        except UnidentifiedImageError:
            raise UnusableImage(_not_a_image(content)) from None
        except Image.DecompressionBombError:
            raise UnusableImage(f"more than {MOST_PIXELS // 10**6} megapixels") from None
        except MemoryError:
            raise UnusableImage("decoding it needs more memory than there is") from None
        except Exception as problem:  # noqa: BLE001  hostile bytes make Pillow's readers raise anything
            raise UnusableImage(_damage(problem)) from None


def stored_values(content: bytes, frame: int) -> np.ndarray:
    """The colour values that a frame of an image file stores; ``UnusableImage`` if it cannot be read."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with at_frame(content, FORMATS, frame) as image:
                if image.width * image.height > ALONE_PIXELS:
                    raise UnusableImage("too large for a look at its values")
                deep = is_16_bit_colour(image) and has_lower_bytes(image)
                image.load()
                return values_of_16_bit_colour(image, content, frame) if deep else colours(image)
        except UnusableImage:
            raise
        except Exception as problem:  # noqa: BLE001  hostile bytes make Pillow's readers raise anything
            raise UnusableImage(_damage(problem)) from None


def decode_raster(
    samples: np.ndarray, framing: Preprocessing, format: str, black: float = 0, white: float = LEVELS
) -> Decoded:
    """Frames an image that is already an array, (height, width) or (height, width, 1, 3 or 4).

    ``black`` and ``white`` are the values that mean them unless ``framing`` has a range of its own.
    """
    if samples.ndim == 3 and samples.shape[2] == 1:
        samples = samples[:, :, 0]
    assumed = "over" if samples.ndim == 3 and samples.shape[2] == 4 and framing.alpha is None else ""
    if samples.ndim == 3 and framing.alpha == "none":
        samples = samples[:, :, :3]
    black, white = framing.range or (black, white)
    image = Image.fromarray(np.ascontiguousarray(to_bytes(samples, black, white)))
    grey, mode = image.mode in _STORED_GREY, image.mode
    pixels = framing.frame(image, _conversion(image, replace(framing, range=None)))
    stored = samples[..., :3] if samples.ndim == 3 else samples
    look = _look(image, framing, pixels, (black, white))

    def strips(masked: bool) -> Strips:
        yield stored, samples[..., 3] > black if masked else None

    levels, known = levels_and_stored(replace(look, strips=strips))
    return Decoded(pixels, *image.size, format, mode, grey, levels, known, assumed, clear=look.is_clear)


def _decoded(content: bytes, framing: Preprocessing, frame: int) -> Decoded:
    with at_frame(content, FORMATS, frame) as image:
        _refuse_what_we_made(image)
        num_frames, num_hidden = count_frames(image, content), count_hidden(image)
        width, height, mode, kind = image.width, image.height, image.mode, image.format or "?"
        most = MOST_PIXELS_OF.get(kind, MOST_PIXELS)
        if width * height > most:
            raise UnusableImage(f"{width}x{height} px are more than {most // 10**6} megapixels")
        white, deep = _white(image), is_16_bit_colour(image)  # before the image forgets how it was stored
        if deep and framing.range and not has_lower_bytes(image):
            raise UnusableImage("16-bit colour of a kind that is read with 8 bits, too few for --range")
        unnamed = unnamed_fourth(image)
        assumed = unnamed if framing.alpha is None else ""
        if isinstance(image, TiffImagePlugin.TiffImageFile) and (reason := why_not_read(image.tag_v2)):
            raise UnusableImage(reason)
        if unnamed == "none" and framing.alpha == "over":
            take_for_opacity(image)
        if unnamed and framing.alpha == "band":
            raise UnusableImage(_A_BAND)
        # Pillow gives the size of a TIFF as it is upright, and that of all else as it is stored.
        sideways = kind != "TIFF" and image.getexif().get(_ORIENTATION) in _SIDEWAYS
        _shrink_while_decoding(image, framing, sideways)
        image.decodermaxblock = max(image.decodermaxblock, len(content))  # in one piece is 7 % faster
        # A JPEG that is not progressive is never in memory but at the size it is decoded to.
        whole = kind != "JPEG" or "progressive" in image.info
        held = width * height if whole else image.width * image.height
        with turn() if held > ALONE_PIXELS else nullcontext():
            conversion = _conversion_of_tiff(image, framing) if kind == "TIFF" else None
            image.load()
            known, plain = None, framing
            if deep and framing.range:
                masked = framing.alpha != "none"
                known = apply_range_to_16_bit_colour(image, content, frame, framing.range, masked=masked)
                plain = replace(framing, range=None)
            upright = _upright(image, in_place=not frame)
            pixels = plain.frame(upright, conversion or _conversion(image, plain))
            look = _look(upright, framing, pixels, (0, LEVELS if deep else white))
            levels, stored = levels_and_stored(replace(look, known=known))
            stored = _of_16_bits(stored) if deep and not known else stored
    if sideways:
        width, height = height, width
    grey = mode in _STORED_GREY
    return Decoded(
        pixels,
        width,
        height,
        kind,
        mode,
        grey,
        levels,
        stored,
        assumed,
        num_frames,
        look.is_clear,
        num_hidden,
    )


def _look(
    image: Image.Image, framing: Preprocessing, pixels: np.ndarray, values: tuple[float, float]
) -> Look:
    """Gather what is known of a loaded image and of its ``pixels``; ``values`` are black and white."""
    left, top, right, bottom = framing.crop_box(*image.size)
    return Look(
        pixels,
        lambda masked: colours_seen(image, masked=masked),
        image.width * image.height,
        *(framing.range or values),
        has_range=framing.range is not None,
        is_see_through=is_see_through(image, framing),
        is_clear=is_clear(image, framing, pixels),
        scale=framing.width * framing.height / ((right - left) * (bottom - top)),
    )


def _of_16_bits(stored: Stored) -> Stored:
    """What 16-bit colour stores at most, of which only the upper bytes are known."""
    least, most, _, _, low, high = (256 * value for value in stored)
    return Stored(least, most + LEVELS, 0, _WHITE_OF_16_BITS, low, high + LEVELS)


def _upright(image: Image.Image, *, in_place: bool) -> Image.Image:
    """A loaded image turned as EXIF says; in place it takes no memory twice, and spoils later frames."""
    if in_place:
        ImageOps.exif_transpose(image, in_place=True)
        return image
    return ImageOps.exif_transpose(image)


def _refuse_what_we_made(image: Image.Image) -> None:
    """A sheet of images or a figure that this program wrote beside the images, and that carries its mark."""
    if made := _OURS.get(str(image.info.get("Software"))):
        raise UnusableImage(f"made by ganzfeld ({made}), not an image to train on")


def _shrink_while_decoding(image: Image.Image, framing: Preprocessing, sideways: bool) -> None:
    """Lets the JPEG decoder leave out detail that scaling would throw away; other formats ignore this."""
    upright = (image.height, image.width) if sideways else image.size
    left, top, right, bottom = framing.crop_box(*upright)
    most = min((right - left) // (2 * framing.width), (bottom - top) // (2 * framing.height))
    scale = max(step for step in (1, 2, 4, 8) if step <= max(most, 1))
    mode = "L" if framing.channels == 1 and image.mode == "RGB" else None
    image.draft(mode, (image.width // scale, image.height // scale))


def _conversion(image: Image.Image, framing: Preprocessing) -> Callable[[Image.Image], Image.Image] | None:
    """What makes ``L`` or ``RGB``, opaque, of any part of a decoded image; None if it is that already."""
    if _is_16_bit_grey(image):
        return partial(_from_16_bits, framing)
    if image.mode in ("I", "F"):
        if framing.range is None:
            raise UnusableImage(f"32-bit samples, whose range is not known; {_GIVE_RANGE}")
        return partial(_from_grey_samples, framing.range, False)
    if image.mode in _WITH_OPACITY and framing.alpha == "band":
        raise UnusableImage(_A_BAND)
    if image.has_transparency_data and framing.alpha != "none":
        return partial(_on_background, framing)
    mode = "L" if image.mode in ("1", "L", "LA", "La") else "RGB"
    if framing.range:
        return lambda part: _with_range(framing, _opaque(part).convert(mode))
    return None if image.mode == mode else lambda part: _opaque(part).convert(mode)


def _opaque(part: Image.Image) -> Image.Image:
    """An image whose colours, where they are multiplied by its opacity, are so no longer."""
    return part.convert({"La": "LA", "RGBa": "RGBA"}.get(part.mode, part.mode))


def _conversion_of_tiff(
    image: Image.Image, framing: Preprocessing
) -> Callable[[Image.Image], Image.Image] | None:
    """The same where only the tags of a TIFF tell, and only before it is loaded; None if they do not."""
    assert isinstance(image, TiffImagePlugin.TiffImageFile)
    if _SIGNED in image.tag_v2.get(SAMPLE_FORMAT, ()) and (framing.range is None or image.mode != "I"):
        raise UnusableImage(f"signed samples, whose range is not known; {_GIVE_RANGE}")
    if not image.mode.startswith("I;16"):
        return None
    inverted = image.tag_v2.get(PHOTOMETRIC) == WHITE_IS_ZERO
    return partial(_from_grey_samples, framing.range or (0, _white(image)), inverted)


def _from_grey_samples(values: tuple[float, float], inverted: bool, part: Image.Image) -> Image.Image:
    samples = np.asarray(part)
    if samples.dtype.kind == "f" and not np.isfinite(samples).all():
        raise UnusableImage("it holds NaN or infinite values")
    shown = to_bytes(samples, *values)
    return Image.fromarray(LEVELS - shown if inverted else shown)


def _from_16_bits(framing: Preprocessing, part: Image.Image) -> Image.Image:
    grey = _from_grey_samples(framing.range or (0, _WHITE_OF_16_BITS), False, part)
    clear = part.info.get("transparency")  # in a PNG, the one value that stands for nothing
    if not isinstance(clear, int) or framing.alpha == "none":
        return grey
    alpha = Image.fromarray(np.where(np.asarray(part) == clear, 0, 255).astype(np.uint8))
    return _on_background(framing, Image.merge("LA", (grey, alpha)))


def _on_background(framing: Preprocessing, part: Image.Image) -> Image.Image:
    stays_grey = part.mode in _STORED_GREY and framing.grey_background
    canvas = Image.new("RGBA", part.size, (*framing.background, 255))
    shown = part.convert("RGBA")
    if framing.range:
        opacity = shown.getchannel("A")
        shown = _with_range(framing, shown.convert("RGB"))
        shown.putalpha(opacity)
    canvas.alpha_composite(shown)
    return canvas.convert("L" if stays_grey else "RGB")


def _with_range(framing: Preprocessing, part: Image.Image) -> Image.Image:
    """An image of mode L or RGB with its values spread from the range to all levels."""
    assert framing.range
    return part.point(level_table(8, *framing.range).tolist() * len(part.getbands()))


def _is_16_bit_grey(image: Image.Image) -> bool:
    return image.mode.startswith("I;16") or (image.mode == "I" and image.format in ("PNG", "PPM"))


def _white(image: Image.Image) -> int:
    """The stored value that the format calls white; before it is loaded, since Pillow then forgets."""
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        return 2 ** max(image.tag_v2.get(BITS_PER_SAMPLE, (8,))[0], 8) - 1
    return _WHITE_OF_16_BITS if _is_16_bit_grey(image) or is_16_bit_colour(image) else LEVELS


def _not_a_image(content: bytes) -> str:
    begin = content[:64].lstrip(b"\xef\xbb\xbf \t\r\n")
    for mark, kind in _OTHER_KINDS.items():
        if begin.startswith(mark):
            return f"not an image in a known format but {kind}"
    if begin[:4] in (b"II*\0", b"MM\0*"):
        unknown = "a TIFF that is damaged, or of a kind that is not read; save it with 8 or 16 bits a sample"
        return why_unknown(content) or unknown
    return f"not an image in a known format ({', '.join(FORMATS)})"


def _damage(problem: Exception) -> str:
    text = " ".join(str(problem).split())[:200]
    if "truncated" in text.lower() or isinstance(problem, EOFError):
        return f"truncated ({text})" if text else "truncated"
    return f"damaged ({type(problem).__name__}: {text})" if text else f"damaged ({type(problem).__name__})"
