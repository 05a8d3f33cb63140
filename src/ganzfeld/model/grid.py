"""Grids of images, and PNG files."""

import io
import math
from pathlib import Path

import numpy as np
from PIL import Image

from ganzfeld.output import Mark, write_output

GAP = 2
BACKGROUND = 255


def grid(images: np.ndarray, columns: int | None = None) -> np.ndarray:
    """Arrange uint8 images (N, H, W, C) in a grid, in reading order, two pixels apart.

    Returns uint8 (grid height, grid width, C). By default the grid is about as wide as it is high.
    """
    num, height, width, channels = images.shape
    columns = columns or max(1, math.ceil(math.sqrt(num * height / width)))
    rows = max(1, math.ceil(num / columns))
    columns = min(columns, max(num, 1))
    shape = (rows * (height + GAP) - GAP, columns * (width + GAP) - GAP, channels)
    canvas = np.full(shape, BACKGROUND, np.uint8)
    for index, image in enumerate(images):
        top, left = (index // columns) * (height + GAP), (index % columns) * (width + GAP)
        canvas[top : top + height, left : left + width] = image
    return canvas


def columns_by_class(columns: int, num_classes: int) -> int:
    """Return the number of columns near ``columns`` that puts each class in its own columns.

    Assumes that the classes come in turn. Returns ``columns`` itself if there are more than twice as many
    classes, or none.

    >>> columns_by_class(8, 10), columns_by_class(8, 3), columns_by_class(8, 0), columns_by_class(8, 50)
    (10, 9, 8, 8)
    """
    if not 0 < num_classes <= 2 * columns:
        return columns
    return num_classes * max(1, round(columns / num_classes))


def png(image: np.ndarray) -> bytes:
    """Encode a uint8 image (H, W, 1 or 3) as the bytes of a PNG file."""
    buffer = io.BytesIO()
    Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image).save(buffer, "PNG")
    return buffer.getvalue()


def write_png(path: Path, image: np.ndarray, mark: Mark = Mark.SAMPLE_GRID, *replaces: Mark) -> None:
    """Write a uint8 image (H, W, 1 or 3) to the user's path; see ``ganzfeld.output.write_output``."""
    write_output(path, png(image), mark, *replaces)
