"""Decode the bytes of one image file into the pixels used for training. All decoding happens here.

The rules, each tested with a real file:

- Only the formats in ``FORMATS`` are read; the name of the file does not matter. The whole file is decoded,
  so a truncated file is found here.
- An image of more than ``MOST_PIXELS`` is refused after reading its header, before any memory is allocated.
  Images of more than ``ALONE_PIXELS`` are decoded by one process at a time: see ``large_image_lock``.
- A large JPEG is decoded at 1/2, 1/4 or 1/8 of its size, but at no less than twice the training size
  (Pillow's draft mode).
- EXIF orientation is applied; colour profiles are ignored.
- 16-bit grey is divided by 257 and rounded (12-bit grey in a TIFF: by 4095/255), and inverted if the TIFF
  says that white is zero. 16-bit colour keeps its upper byte. 1-bit values become 0 and 255. Palettes become
  colour, and CMYK becomes RGB by Pillow's formula. 32-bit integers, floats and signed samples have no agreed
  range and are refused. If a range is given, its ends become black and white, whatever the bit depth.
- Sample grids and figures that carry this program's mark (``ganzfeld.output``) are refused; single samples
  are read.
- Transparent pixels show the background. One frame of an animation is read per call.
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
from ganzfeld.data.decoding.extent import ImageValues, Strips, levels_and_stored
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
# 134 megapixels take 0.5 GiB when decoded, and twice that while the image is rotated. The WebP and AVIF
# decoders hold 16 and 9 bytes per pixel. One image therefore takes at most about 1 GiB.
MOST_PIXELS = 2**27
MOST_PIXELS_OF = {"WEBP": 2**26, "AVIF": 2**26}
ALONE_PIXELS = 2**25
MOST_BYTES = 2**29

large_image_lock: Callable[[], AbstractContextManager] = nullcontext
"""Held while an image of more than ``ALONE_PIXELS`` is decoded. Worker processes set a shared lock here."""

# Without a handler, Pillow's messages about broken files reach the terminal when logging is not set up.
logging.getLogger("PIL").addHandler(logging.NullHandler())

_STORED_GREY = frozenset({"1", "L", "LA", "La", "I", "I;16", "I;16L", "I;16B", "I;16N"})
_SIDEWAYS = frozenset({5, 6, 7, 8})  # the EXIF orientations that swap width and height
_ORIENTATION = 0x0112
_SIGNED = 2  # the sample format of a TIFF
_WHITE_OF_16_BITS = 65_535
_OURS = {mark.text: mark for mark in Mark if mark not in (Mark.SAMPLE, Mark.COMPLETION, Mark.RUN_SHEET)}
_WITH_OPACITY = frozenset({"LA", "La", "PA", "RGBA", "RGBa"})
_EXTRA_BAND = "it has a band besides its 1 or 3, which cannot be trained on yet; --alpha none leaves it out"
_GIVE_RANGE = "give it with --range LOW:HIGH, or save the image with 8 or 16 bits"
_OTHER_KINDS = {
    b"SIMPLE  =": "FITS, which holds measured values: --kind map",
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
    """Raised when one image cannot be used. The text is the reason, worded to follow the name of the file."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """An image at the training size, with facts about its file.

    - ``pixels``: uint8 (height, width, channels).
    - ``width``, ``height``, ``format``, ``mode`` (Pillow's names): those of the file, after its orientation
      is applied. ``grey``: the file stores no colour.
    - ``levels``: the darkest and brightest visible levels, without outliers. ``stored``: the stored values
      that these come from, known only if the image uses less than half of the levels or a range was given
      (see ``extent.py``).
    - ``assumed``: how a fourth channel was read, if the file does not say what it means.
    - ``num_frames``: the number of frames in the file. ``num_hidden``: the number of images in the file that
      are not frames. ``clear``: every pixel is transparent.
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
    """Decode one frame of an image file; raise ``UnusableImage`` with the reason if that fails."""
    if not content:
        raise UnusableImage("empty file")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # users need not know of a doubtful EXIF block or palette
        try:
            return _decode(content, framing, frame)
        except (UnusableImage, GanzfeldError):
            raise
        except UnidentifiedImageError:
            raise UnusableImage(_explain_unknown_format(content)) from None
        except Image.DecompressionBombError:
            raise UnusableImage(f"more than {MOST_PIXELS // 10**6} megapixels") from None
        except MemoryError:
            raise UnusableImage("decoding it needs more memory than there is") from None
        except Exception as problem:  # noqa: BLE001  hostile bytes make Pillow's readers raise anything
            raise UnusableImage(_describe_damage(problem)) from None


def stored_values(content: bytes, frame: int) -> np.ndarray:
    """Return the colour values stored in a frame of an image file; raise ``UnusableImage`` if unreadable."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with at_frame(content, FORMATS, frame) as image:
                if image.width * image.height > ALONE_PIXELS:
                    raise UnusableImage("too large to read its values")
                deep = is_16_bit_colour(image) and has_lower_bytes(image)
                image.load()
                return values_of_16_bit_colour(image, content, frame) if deep else colours(image)
        except UnusableImage:
            raise
        except Exception as problem:  # noqa: BLE001  hostile bytes make Pillow's readers raise anything
            raise UnusableImage(_describe_damage(problem)) from None


def decode_raster(
    samples: np.ndarray, framing: Preprocessing, format: str, black: float = 0, white: float = LEVELS
) -> Decoded:
    """Crop and scale an image that is already an array, (height, width) or (height, width, 1, 3 or 4).

    ``black`` and ``white`` are the sample values of black and white, unless ``framing`` has its own range.
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
    values = _describe_values(image, framing, pixels, (black, white))

    def strips(masked: bool) -> Strips:
        yield stored, samples[..., 3] > black if masked else None

    levels, known = levels_and_stored(replace(values, strips=strips))
    return Decoded(pixels, *image.size, format, mode, grey, levels, known, assumed, clear=values.is_clear)


def _decode(content: bytes, framing: Preprocessing, frame: int) -> Decoded:
    with at_frame(content, FORMATS, frame) as image:
        _refuse_own_output(image)
        num_frames, num_hidden = count_frames(image, content), count_hidden(image)
        width, height, mode, kind = image.width, image.height, image.mode, image.format or "?"
        most = MOST_PIXELS_OF.get(kind, MOST_PIXELS)
        if width * height > most:
            raise UnusableImage(f"{width}x{height} px are more than {most // 10**6} megapixels")
        white, deep = _white_value(image), is_16_bit_colour(image)  # Pillow drops this information on loading
        if deep and framing.range and not has_lower_bytes(image):
            raise UnusableImage("this kind of 16-bit colour is read with only 8 bits, too few for --range")
        unnamed = unnamed_fourth(image)
        assumed = unnamed if framing.alpha is None else ""
        if isinstance(image, TiffImagePlugin.TiffImageFile) and (reason := why_not_read(image.tag_v2)):
            raise UnusableImage(reason)
        if unnamed == "none" and framing.alpha == "over":
            take_for_opacity(image)
        if unnamed and framing.alpha == "band":
            raise UnusableImage(_EXTRA_BAND)
        # Pillow gives the upright size of a TIFF, but the stored size for every other format.
        sideways = kind != "TIFF" and image.getexif().get(_ORIENTATION) in _SIDEWAYS
        _shrink_while_decoding(image, framing, sideways)
        image.decodermaxblock = max(
            image.decodermaxblock, len(content)
        )  # decoding in one piece is 7 % faster
        # A JPEG that is not progressive is only ever in memory at the reduced size.
        at_full_size = kind != "JPEG" or "progressive" in image.info
        pixels_in_memory = width * height if at_full_size else image.width * image.height
        with large_image_lock() if pixels_in_memory > ALONE_PIXELS else nullcontext():
            conversion = _conversion_of_tiff(image, framing) if kind == "TIFF" else None
            image.load()
            known, without_range = None, framing
            if deep and framing.range:
                masked = framing.alpha != "none"
                known = apply_range_to_16_bit_colour(image, content, frame, framing.range, masked=masked)
                without_range = replace(framing, range=None)
            upright = _apply_orientation(image, in_place=not frame)
            pixels = without_range.frame(upright, conversion or _conversion(image, without_range))
            values = _describe_values(upright, framing, pixels, (0, LEVELS if deep else white))
            levels, stored = levels_and_stored(replace(values, known=known))
            stored = _widen_to_16_bits(stored) if deep and not known else stored
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
        values.is_clear,
        num_hidden,
    )


def _describe_values(
    image: Image.Image, framing: Preprocessing, pixels: np.ndarray, black_white: tuple[float, float]
) -> ImageValues:
    """Describe the values of a loaded image and of its ``pixels``."""
    left, top, right, bottom = framing.crop_box(*image.size)
    return ImageValues(
        pixels,
        lambda masked: colours_seen(image, masked=masked),
        image.width * image.height,
        *(framing.range or black_white),
        has_range=framing.range is not None,
        is_see_through=is_see_through(image, framing),
        is_clear=is_clear(image, framing, pixels),
        scale=framing.width * framing.height / ((right - left) * (bottom - top)),
    )


def _widen_to_16_bits(stored: Stored) -> Stored:
    """Return the widest extent of 16-bit values that is possible given their upper bytes."""
    least, most, _, _, low, high = (256 * value for value in stored)
    return Stored(least, most + LEVELS, 0, _WHITE_OF_16_BITS, low, high + LEVELS)


def _apply_orientation(image: Image.Image, *, in_place: bool) -> Image.Image:
    """Rotate a loaded image as its EXIF data says; doing so in place saves memory but spoils later frames."""
    if in_place:
        ImageOps.exif_transpose(image, in_place=True)
        return image
    return ImageOps.exif_transpose(image)


def _refuse_own_output(image: Image.Image) -> None:
    """Raise ``UnusableImage`` for a grid of images or a figure that carries this program's mark."""
    if mark := _OURS.get(str(image.info.get("Software"))):
        raise UnusableImage(f"made by ganzfeld ({mark}), not an image to train on")


def _shrink_while_decoding(image: Image.Image, framing: Preprocessing, sideways: bool) -> None:
    """Let the JPEG decoder skip detail that scaling would discard; other formats ignore this."""
    upright = (image.height, image.width) if sideways else image.size
    left, top, right, bottom = framing.crop_box(*upright)
    most = min((right - left) // (2 * framing.width), (bottom - top) // (2 * framing.height))
    scale = max(step for step in (1, 2, 4, 8) if step <= max(most, 1))
    mode = "L" if framing.channels == 1 and image.mode == "RGB" else None
    image.draft(mode, (image.width // scale, image.height // scale))


def _conversion(image: Image.Image, framing: Preprocessing) -> Callable[[Image.Image], Image.Image] | None:
    """Return a function that converts any part of an image to opaque ``L`` or ``RGB``; None if not needed."""
    if _is_16_bit_grey(image):
        return partial(_convert_16_bit_grey, framing)
    if image.mode in ("I", "F"):
        if framing.range is None:
            raise UnusableImage(f"32-bit samples, whose range is not known; {_GIVE_RANGE}")
        return partial(_convert_grey_samples, framing.range, False)
    if image.mode in _WITH_OPACITY and framing.alpha == "band":
        raise UnusableImage(_EXTRA_BAND)
    if image.has_transparency_data and framing.alpha != "none":
        return partial(_draw_on_background, framing)
    mode = "L" if image.mode in ("1", "L", "LA", "La") else "RGB"
    if framing.range:
        return lambda part: _apply_range(framing, _unpremultiply(part).convert(mode))
    return None if image.mode == mode else lambda part: _unpremultiply(part).convert(mode)


def _unpremultiply(part: Image.Image) -> Image.Image:
    """Return the image with colours that are not multiplied by its opacity."""
    return part.convert({"La": "LA", "RGBa": "RGBA"}.get(part.mode, part.mode))


def _conversion_of_tiff(
    image: Image.Image, framing: Preprocessing
) -> Callable[[Image.Image], Image.Image] | None:
    """Return the conversion that the tags of a TIFF ask for; None if they ask for none.

    Must be called before the image is loaded, since Pillow then drops the tags that matter.
    """
    assert isinstance(image, TiffImagePlugin.TiffImageFile)
    if _SIGNED in image.tag_v2.get(SAMPLE_FORMAT, ()) and (framing.range is None or image.mode != "I"):
        raise UnusableImage(f"signed samples, whose range is not known; {_GIVE_RANGE}")
    if not image.mode.startswith("I;16"):
        return None
    inverted = image.tag_v2.get(PHOTOMETRIC) == WHITE_IS_ZERO
    return partial(_convert_grey_samples, framing.range or (0, _white_value(image)), inverted)


def _convert_grey_samples(black_white: tuple[float, float], inverted: bool, part: Image.Image) -> Image.Image:
    samples = np.asarray(part)
    if samples.dtype.kind == "f" and not np.isfinite(samples).all():
        raise UnusableImage("it holds NaN or infinite values")
    levels = to_bytes(samples, *black_white)
    return Image.fromarray(LEVELS - levels if inverted else levels)


def _convert_16_bit_grey(framing: Preprocessing, part: Image.Image) -> Image.Image:
    grey = _convert_grey_samples(framing.range or (0, _WHITE_OF_16_BITS), False, part)
    clear = part.info.get("transparency")  # in a PNG, the one value that means transparent
    if not isinstance(clear, int) or framing.alpha == "none":
        return grey
    alpha = Image.fromarray(np.where(np.asarray(part) == clear, 0, 255).astype(np.uint8))
    return _draw_on_background(framing, Image.merge("LA", (grey, alpha)))


def _draw_on_background(framing: Preprocessing, part: Image.Image) -> Image.Image:
    stays_grey = part.mode in _STORED_GREY and framing.grey_background
    canvas = Image.new("RGBA", part.size, (*framing.background, 255))
    foreground = part.convert("RGBA")
    if framing.range:
        opacity = foreground.getchannel("A")
        foreground = _apply_range(framing, foreground.convert("RGB"))
        foreground.putalpha(opacity)
    canvas.alpha_composite(foreground)
    return canvas.convert("L" if stays_grey else "RGB")


def _apply_range(framing: Preprocessing, part: Image.Image) -> Image.Image:
    """Spread the range of values in an image of mode L or RGB over all levels."""
    assert framing.range
    return part.point(level_table(8, *framing.range).tolist() * len(part.getbands()))


def _is_16_bit_grey(image: Image.Image) -> bool:
    return image.mode.startswith("I;16") or (image.mode == "I" and image.format in ("PNG", "PPM"))


def _white_value(image: Image.Image) -> int:
    """Return the stored value that means white in an image that is not loaded yet."""
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        return 2 ** max(image.tag_v2.get(BITS_PER_SAMPLE, (8,))[0], 8) - 1
    return _WHITE_OF_16_BITS if _is_16_bit_grey(image) or is_16_bit_colour(image) else LEVELS


def _explain_unknown_format(content: bytes) -> str:
    begin = content[:64].lstrip(b"\xef\xbb\xbf \t\r\n")
    for mark, kind in _OTHER_KINDS.items():
        if begin.startswith(mark):
            return f"not an image in a known format but {kind}"
    if begin[:4] in (b"II*\0", b"MM\0*"):
        unknown = "a damaged or unsupported TIFF; save it with 8 or 16 bits per sample"
        return why_unknown(content) or unknown
    return f"not an image in a known format ({', '.join(FORMATS)})"


def _describe_damage(problem: Exception) -> str:
    text = " ".join(str(problem).split())[:200]
    if "truncated" in text.lower() or isinstance(problem, EOFError):
        return f"truncated ({text})" if text else "truncated"
    return f"damaged ({type(problem).__name__}: {text})" if text else f"damaged ({type(problem).__name__})"
