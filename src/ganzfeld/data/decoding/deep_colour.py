"""Colour images of 16 bits a sample, of which Pillow decodes the upper bytes alone.

Read a second time as if the order of the bytes were the other one, they give the lower bytes.
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
    """Whether an image that is not loaded yet stores 16 bits for each of several channels."""
    return not image.mode.startswith("I") and _raw_mode(image)[-3:] in _SWAPPED


def has_lower_bytes(image: Image.Image) -> bool:
    """Whether the lower bytes of such an image can be read too: not of CMYK, nor of grey with opacity."""
    return _raw_mode(image)[:-4] in ("RGB", "RGBA", "RGBX")


def apply_range_to_16_bit_colour(
    image: Image.Image, content: bytes, frame: int, values: tuple[float, float], *, masked: bool
) -> Stored:
    """Replace the upper bytes in a loaded image by the levels of its values; ``content`` is its file.

    The result says what it stores, where ``masked`` of pixels that are seen at all.
    """
    table, (black, white) = level_table(16, *values), values
    masked = masked and image.mode == "RGBA" and image.getchannel("A").getextrema() != (0, 0)

    def replaced() -> Strips:
        for box, upper_bytes, stored in _bands(image, content, frame):
            levels = table[stored]
            levels[..., 3:] = upper_bytes[..., 3:]  # opacity is no colour
            image.paste(Image.fromarray(levels), box)
            yield stored[..., :3], upper_bytes[..., 3] > 0 if masked else None

    found = extent(replaced(), image.width * image.height, (white - black) / LEVELS)
    assert found, "an image has at least one pixel that is looked at"
    return Stored(found.least, found.most, black, white, found.low, found.high)


def values_of_16_bit_colour(image: Image.Image, content: bytes, frame: int) -> np.ndarray:
    """Return all colour values of a loaded image, uint16 (height, width, 3); ``content`` is its file."""
    return np.concatenate([values[..., :3] for _, _, values in _bands(image, content, frame)])


def _bands(
    image: Image.Image, content: bytes, frame: int
) -> Iterator[tuple[tuple[int, int, int, int], np.ndarray, np.ndarray]]:
    """Yield some rows after others: their box, their upper bytes and their values of 16 bits."""
    with Image.open(io.BytesIO(content), formats=(image.format or "",)) as lower:
        assert isinstance(lower, ImageFile.ImageFile)
        lower.seek(frame)
        lower.tile = [_swapped(tile) for tile in lower.tile]
        lower.load()
        for top in range(0, image.height, _ROWS):
            box = (0, top, image.width, min(top + _ROWS, image.height))
            upper_bytes, lower_bytes = np.asarray(image.crop(box)), np.asarray(lower.crop(box))
            yield box, upper_bytes, upper_bytes.astype(np.uint16) << 8 | lower_bytes


def _raw_mode(image: Image.Image) -> str:
    tile = image.tile[0] if isinstance(image, ImageFile.ImageFile) and image.tile else None
    given = tile.args if tile else ""
    return str(given[0]) if isinstance(given, tuple) else str(given or "")


def _swapped(tile: "ImageFile._Tile") -> "ImageFile._Tile":
    given = tile.args
    if isinstance(given, tuple):
        return tile._replace(args=(_other_order(str(given[0])), *given[1:]))
    return tile._replace(args=_other_order(str(given)))


def _other_order(raw_mode: str) -> str:
    return raw_mode[:-3] + _SWAPPED[raw_mode[-3:]]
