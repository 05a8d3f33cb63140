"""Images as the rows of one array in a file: where they lie, and how their values become 0 to 255.

Shared by the sources that read arrays. Rows are read one at a time and forward, so that a compressed array
needs no more memory than one of its images.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np

from ganzfeld.data.decoding.decode import MOST_PIXELS, UnusableImage
from ganzfeld.data.decoding.samples import LEVELS
from ganzfeld.errors import DataError
from ganzfeld.option_values import text_of_enclosing_range

_CHANNELS = (1, 3, 4)
EXPECTED = (
    "Expected numbers of the shape (N, height, width), (N, height, width, channels) or (N, channels, height, "
    "width), each side at least 8 px; a single image has N = 1 as well."
)


@dataclass(frozen=True, slots=True)
class Rows:
    """``count`` arrays of ``shape`` and ``dtype``, one after the other from byte ``offset`` of a stream."""

    offset: int
    count: int
    shape: tuple[int, ...]
    dtype: np.dtype

    @property
    def row_bytes(self) -> int:
        """Bytes of one row."""
        return self.dtype.itemsize * int(np.prod(self.shape, dtype=object))


class RowReader:
    """Reads single rows of a stream; opens it at the first one."""

    def __init__(self, rows: Rows, open_stream: Callable[[], BinaryIO]) -> None:
        self.rows = rows
        self._open_stream = open_stream
        self._stream: BinaryIO | None = None

    def row(self, index: int) -> np.ndarray:
        """Row ``index`` as it is stored, of ``rows.shape``; ``UnusableImage`` if the file ends before."""
        if self._stream is None:
            self._stream = self._open_stream()
        try:
            self._stream.seek(self.rows.offset + index * self.rows.row_bytes)
            content = self._stream.read(self.rows.row_bytes)
        except Exception as problem:  # noqa: BLE001  zlib, gzip and zipfile name damage in many ways
            raise UnusableImage(f"damaged ({type(problem).__name__}: {problem})") from None
        if len(content) != self.rows.row_bytes:
            raise UnusableImage("the file ends before this image")
        return np.frombuffer(content, self.rows.dtype).reshape(self.rows.shape)

    def all(self) -> Iterator[np.ndarray]:
        """Every row that can be read."""
        for index in range(self.rows.count):
            try:
                yield self.row(index)
            except UnusableImage:
                return


def channels_last(row: np.ndarray) -> np.ndarray:
    """(H, W), (H, W, C) or (C, H, W) as (H, W) or (H, W, C)."""
    if row.ndim == 3 and row.shape[2] not in _CHANNELS:
        return np.moveaxis(row, 0, 2)
    return row


def check_shape(rows: Rows, where: str) -> None:
    """Raises ``DataError`` unless rows of that shape can only be images in one reading."""
    shape = rows.shape
    if len(shape) == 2:
        sides, plain = shape, True
    else:
        last, first = shape[2] in _CHANNELS, shape[0] in _CHANNELS
        sides, plain = (shape[:2] if last else shape[1:]), last != first
    if not plain or min(sides) < 8:
        raise DataError(f"{where} has the shape {(rows.count, *shape)}: {_what_else(rows)}", EXPECTED)
    if sides[0] * sides[1] > MOST_PIXELS:
        raise DataError(
            f"{where} has images of {sides[0]}x{sides[1]} px, more than {MOST_PIXELS // 10**6} megapixels"
        )


def _what_else(rows: Rows) -> str:
    """What an array of such a shape seems to be that is not read."""
    whole = (rows.count, *rows.shape)
    if len(whole) == 3 and min(whole[:2]) >= 8 and whole[2] < 8:
        colours = whole[2] in _CHANNELS
        return f"a single image with {whole[2]} channels" + (
            f"; {(1, *whole)} would be read" if colours else ", where 1, 3 or 4 are read"
        )
    if len(whole) == 4 and rows.shape[0] in _CHANNELS and rows.shape[2] in _CHANNELS:
        return "channels first or last, which cannot be told"
    if len(whole) == 4 and min(rows.shape[:2]) >= 8:
        return f"images with {rows.shape[2]} channels, where 1, 3 or 4 are read; save those wanted"
    if len(whole) == 4 and min(rows.shape[1:]) >= 8:
        return f"images with {rows.shape[0]} channels, where 1, 3 or 4 are read; save those wanted"
    return "that is not one of images"


def value_range(reader: RowReader, where: str, given: tuple[float, float] | None) -> dict[str, Any]:
    """How the values of an array are to be read: ``{"low": ..., "high": ...}``, what 0 and 255 stand for.

    They are those ``given``, if any. Else bool is 0 to 1. Integers that lie in 0 to 255 are taken as they
    are; uint16 beyond that is 0 to 65535.
    Floats that lie in 0 to 1 are that, and -1 to 1 if any is negative. Raises ``DataError`` for everything
    else: nobody can know what it means.
    """
    dtype = reader.rows.dtype
    if dtype == np.uint8:
        low, high = given or (0, LEVELS)
        return {"low": low, "high": high}
    if dtype.kind == "b":
        return {"low": 0, "high": 1}
    least, most = _extremes(reader, where)
    if given:
        return {"low": given[0], "high": given[1]}
    if dtype.kind in "iu":
        fits = [high for high in (255, 65535 if dtype.itemsize == 2 else 255) if least >= 0 and most <= high]
        low, high = 0, fits[0] if fits else None
    else:
        low, high = (-1 if least < 0 else 0), (1 if least >= -1 and most <= 1 else None)
    if high is None:
        fitting = text_of_enclosing_range(least, most) if least < most else "LOW:HIGH"
        hint = (
            "Floats must lie in 0 to 1 or in -1 to 1, integers in 0 to 255 (uint16: to 65535). Otherwise say "
            f"what is black and white: --range {fitting}, "
            "or --range auto."
        )
        raise DataError(
            f"{where} holds {dtype.name} from {least:g} to {most:g}, a range with no agreed meaning", hint
        )
    return {"low": low, "high": high}


def _extremes(reader: RowReader, where: str) -> tuple[float, float]:
    """Least and most of all values; ``DataError`` names the first image with one that is not finite."""
    least, most = np.inf, -np.inf
    for index, row in enumerate(reader.all()):
        row_least, row_most = float(row.min()), float(row.max())
        if not np.isfinite(row_least) or not np.isfinite(row_most):
            what = "NaN" if np.isnan(row_least) else "an infinite value"
            hint = "Leave such images out, or replace the values (numpy.nan_to_num)."
            raise DataError(f"{where} holds {what} in image [{index}]", hint)
        least, most = min(least, row_least), max(most, row_most)
    return least, most
