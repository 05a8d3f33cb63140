"""Read colour images of 16 bits per sample, of which Pillow decodes only the upper bytes.

The lower bytes come from a second decoding of the file, with the byte order reversed.
"""

import io
import sys
from collections.abc import Iterator

import numpy as np
from PIL import Image, ImageFile

from ganzfeld.data.decoding.extent import Strips, extent
from ganzfeld.data.decoding.samples import LEVELS, Stored, level_table

_SWAPPED = {"16B": "16L", "16L": "16B", "16N": "16B" if sys.byteorder == "little" else "16L"}
_ROWS = 256


def is_16_bit_colour(image: Image.Image) -> bool:
    """Return whether an image that is not loaded yet stores 16 bits for each of several channels."""
    return not image.mode.startswith("I") and _raw_mode(image)[-3:] in _SWAPPED


def has_lower_bytes(image: Image.Image) -> bool:
    """Return whether the lower bytes can be read too; those of CMYK and of grey with opacity cannot."""
    return _raw_mode(image)[:-4] in ("RGB", "RGBA", "RGBX")


def apply_range_to_16_bit_colour(
    image: Image.Image, content: bytes, frame: int, black_white: tuple[float, float], *, masked: bool
) -> Stored:
    """Replace the upper bytes in a loaded image with the levels of its values; ``content`` is its file.

    Returns the extent of the stored values; if ``masked``, that of visible pixels only.
    """
    table, (black, white) = level_table(16, *black_white), black_white
    masked = masked and image.mode == "RGBA" and image.getchannel("A").getextrema() != (0, 0)

    def replace_in_strips() -> Strips:
        for box, upper_bytes, stored in _bands(image, content, frame):
            levels = table[stored]
            levels[..., 3:] = upper_bytes[..., 3:]  # the range does not apply to opacity
            image.paste(Image.fromarray(levels), box)
            yield stored[..., :3], upper_bytes[..., 3] > 0 if masked else None

    values = extent(replace_in_strips(), image.width * image.height, (white - black) / LEVELS)
    assert values, "an image has at least one pixel"
    return Stored(values.least, values.most, black, white, values.low, values.high)


def values_of_16_bit_colour(image: Image.Image, content: bytes, frame: int) -> np.ndarray:
    """Return all colour values of a loaded image, uint16 (height, width, 3); ``content`` is its file."""
    return np.concatenate([values[..., :3] for _, _, values in _bands(image, content, frame)])


def _bands(
    image: Image.Image, content: bytes, frame: int
) -> Iterator[tuple[tuple[int, int, int, int], np.ndarray, np.ndarray]]:
    """Yield bands of rows from top to bottom: their box, their upper bytes and their 16-bit values."""
    with Image.open(io.BytesIO(content), formats=(image.format or "",)) as lower:
        assert isinstance(lower, ImageFile.ImageFile)
        lower.seek(frame)
        lower.tile = [_swap_byte_order(tile) for tile in lower.tile]
        lower.load()
        for top in range(0, image.height, _ROWS):
            box = (0, top, image.width, min(top + _ROWS, image.height))
            upper_bytes, lower_bytes = np.asarray(image.crop(box)), np.asarray(lower.crop(box))
            yield box, upper_bytes, upper_bytes.astype(np.uint16) << 8 | lower_bytes


def _raw_mode(image: Image.Image) -> str:
    tile = image.tile[0] if isinstance(image, ImageFile.ImageFile) and image.tile else None
    args = tile.args if tile else ""
    return str(args[0]) if isinstance(args, tuple) else str(args or "")


def _swap_byte_order(tile: "ImageFile._Tile") -> "ImageFile._Tile":
    args = tile.args
    if isinstance(args, tuple):
        return tile._replace(args=(_swapped_raw_mode(str(args[0])), *args[1:]))
    return tile._replace(args=_swapped_raw_mode(str(args)))


def _swapped_raw_mode(raw_mode: str) -> str:
    return raw_mode[:-3] + _SWAPPED[raw_mode[-3:]]
