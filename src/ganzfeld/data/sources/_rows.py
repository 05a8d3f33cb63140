"""Read images that are the rows of one array in a file, and determine their range of values.

The sources of arrays share this module. Rows are read one at a time and in order, so that reading a
compressed array needs no more memory than one image.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np

from ganzfeld.data.axes import HINT, axes_of, channels_last_by
from ganzfeld.data.decoding.decode import MOST_PIXELS, UnusableImage
from ganzfeld.data.decoding.preprocessing import Preprocessing
from ganzfeld.data.decoding.samples import LEVELS
from ganzfeld.data.decoding.stored_array import facts_of_values
from ganzfeld.data.source import Entry, Source
from ganzfeld.errors import DataError, UsageError
from ganzfeld.option_values import text_of_enclosing_range

_CHANNELS = (1, 3, 4)
EXPECTED = (
    "Expected numbers of the shape (N, height, width), (N, height, width, channels) or (N, channels, height, "
    "width), each side at least 8 px; a single image needs N = 1."
)


@dataclass(frozen=True, slots=True)
class Rows:
    """``count`` arrays of ``shape`` and ``dtype``, stored consecutively from byte ``offset`` of a stream."""

    offset: int
    count: int
    shape: tuple[int, ...]
    dtype: np.dtype

    @property
    def row_bytes(self) -> int:
        """The size of one row in bytes."""
        return self.dtype.itemsize * int(np.prod(self.shape, dtype=object))


class RowReader:
    """Reads single rows of a stream, which it opens when the first row is read."""

    def __init__(self, rows: Rows, open_stream: Callable[[], BinaryIO]) -> None:
        self.rows = rows
        self._open_stream = open_stream
        self._stream: BinaryIO | None = None

    def row(self, index: int) -> np.ndarray:
        """Return row ``index`` as stored, of ``rows.shape``; raise ``UnusableImage`` if it is missing."""
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
        """Yield the rows up to the first that cannot be read."""
        for index in range(self.rows.count):
            try:
                yield self.row(index)
            except UnusableImage:
                return


NUMBERS = "biuf"
"""The kinds of dtypes that can be data: bool, integers, floats."""

_EXACT_IN_FLOAT32 = 2**24


class RowSource(Source):
    """A source whose entries are the rows of one array. Subclasses set ``rows``, ``reader`` and ``where``.

    ``key`` is the name of the array in its file, if it has one; ``where`` names the array in messages.
    """

    HAS_FILES = False
    KINDS = ("image", "map")
    FORMAT = "array"

    rows: Rows
    reader: RowReader
    where: str
    key = ""

    def arrange(self, settings: Preprocessing) -> None:
        """Check that the rows are what the settings say; an array without items becomes one item."""
        super().arrange(settings)
        if settings.kind == "image":
            check_shape(self.rows, self.where)
            return
        rows = self.rows
        if rows.dtype.kind not in NUMBERS:
            raise DataError(f"{self.where} holds {rows.dtype.name}, and only real numbers can be trained on")
        if not self._axes(settings).startswith("N"):
            self.rows = self.reader.rows = Rows(rows.offset, 1, (rows.count, *rows.shape), rows.dtype)

    def _axes(self, settings: Preprocessing) -> str:
        # Once an array without items has become one item, its rows have one axis more.
        num = 1 + len(self.rows.shape)
        without_items = settings.axes is not None and len(settings.axes) == num - 1
        dims = len(settings.shape)
        return axes_of(settings.axes, num - without_items, dims, self.where)

    def prepare(self, framing: Preprocessing) -> dict[str, Any]:
        """Return type and channels of the values, and note where the cache cannot hold them exactly."""
        if framing.kind == "image":
            return super().prepare(framing)
        name = self.rows.dtype.name
        facts = facts_of_values(self.rows.dtype, self._shape_in(framing)[-1])
        if name != facts["dtype"] and self.rows.dtype.itemsize > 2:
            is_whole = self.rows.dtype.kind in "iu"
            exact = f"whole numbers up to {_EXACT_IN_FLOAT32:,}" if is_whole else "7 digits"
            self.notes.append(f"{self.where}: {name} is kept as float32, which holds {exact}")
        return facts

    def values(self, raw: bytes | np.ndarray, settings: Preprocessing) -> np.ndarray:
        """Return the values of a row, (*size, channels)."""
        assert isinstance(raw, np.ndarray)
        return channels_last_by(self._axes(settings), raw)

    def stored_size(self, entry: Entry, settings: Preprocessing) -> tuple[int, ...]:
        """Return the size of every row, without reading any."""
        return self._shape_in(settings)[:-1]

    def _shape_in(self, settings: Preprocessing) -> tuple[int, ...]:
        return channels_last_by(self._axes(settings), np.broadcast_to(np.uint8(0), self.rows.shape)).shape

    def entries(self) -> Iterator[Entry]:
        """Yield one entry per row, named by its index."""
        mtime_ns = self.path.stat().st_mtime_ns
        for index in range(self.rows.count):
            yield Entry(f"{self.key}[{index}]", self.rows.row_bytes, mtime_ns, index)

    def read(self, entry: Entry) -> np.ndarray:
        """Return one row with the values of the file; raise ``UnusableImage`` if it is missing."""
        return self.reader.row(entry.locator)


def channels_last(row: np.ndarray) -> np.ndarray:
    """Bring (H, W), (H, W, C) or (C, H, W) to (H, W) or (H, W, C)."""
    if row.ndim == 3 and row.shape[2] not in _CHANNELS:
        return np.moveaxis(row, 0, 2)
    return row


def check_shape(rows: Rows, where: str) -> None:
    """Raise ``DataError`` unless rows of this shape are images and their axes are unambiguous.

    Raises ``UsageError`` for what may be other data than images, which the user must say.
    """
    shape, num_axes = rows.shape, len(rows.shape)
    if num_axes > 3 or (num_axes == 3 and min(shape) >= 8 and not set(shape) & set(_CHANNELS)):
        raise UsageError(f"{where} has the shape {(rows.count, *shape)}, which nothing explains", HINT)
    if num_axes == 2:
        sides, unambiguous = shape, True
    else:
        last, first = shape[2] in _CHANNELS, shape[0] in _CHANNELS
        sides, unambiguous = (shape[:2] if last else shape[1:]), last != first
    if not unambiguous or min(sides) < 8:
        message = f"{where} has the shape {(rows.count, *shape)}: {_explain_shape(rows)}"
        if num_axes == 3 and sum(side >= 8 for side in shape) == 2 and not unambiguous:
            raise UsageError(message, HINT)
        raise DataError(message, EXPECTED)
    if sides[0] * sides[1] > MOST_PIXELS:
        raise DataError(
            f"{where} has images of {sides[0]}x{sides[1]} px, more than {MOST_PIXELS // 10**6} megapixels"
        )


def _explain_shape(rows: Rows) -> str:
    """Return what an array of an invalid shape seems to be."""
    shape = (rows.count, *rows.shape)
    if len(shape) == 3 and min(shape[:2]) >= 8 and shape[2] < 8:
        is_readable = shape[2] in _CHANNELS
        return f"a single image with {shape[2]} channels" + (
            f"; {(1, *shape)} would be read" if is_readable else ", but only 1, 3 or 4 are read"
        )
    if len(shape) == 4 and rows.shape[0] in _CHANNELS and rows.shape[2] in _CHANNELS:
        return "the channels may be the first axis or the last"
    if len(shape) == 4 and min(rows.shape[:2]) >= 8:
        return f"images with {rows.shape[2]} channels, but only 1, 3 or 4 are read; save those you want"
    if len(shape) == 4 and min(rows.shape[1:]) >= 8:
        return f"images with {rows.shape[0]} channels, but only 1, 3 or 4 are read; save those you want"
    return "this is not an array of images"


def value_range(reader: RowReader, where: str, user_range: tuple[float, float] | None) -> dict[str, Any]:
    """Return which values of an array are black and white: ``{"low": ..., "high": ...}``.

    These are the ends of ``user_range``, if any. Otherwise bool is read as 0 to 1, integers within 0 to 255
    as 0 to 255, other uint16 as 0 to 65535, floats within 0 to 1 as 0 to 1, and floats within -1 to 1 as that
    if any is negative. Raises ``UsageError`` for everything else, since its meaning is unknown.
    """
    dtype = reader.rows.dtype
    if dtype == np.uint8:
        low, high = user_range or (0, LEVELS)
        return {"low": low, "high": high}
    if dtype.kind == "b":
        return {"low": 0, "high": 1}
    least, most = _extremes(reader, where)
    if user_range:
        return {"low": user_range[0], "high": user_range[1]}
    if dtype.kind in "iu":
        fits = [high for high in (255, 65535 if dtype.itemsize == 2 else 255) if least >= 0 and most <= high]
        low, high = 0, fits[0] if fits else None
    else:
        low, high = (-1 if least < 0 else 0), (1 if least >= -1 and most <= 1 else None)
    if high is None:
        fitting = text_of_enclosing_range(least, most) if least < most else "LOW:HIGH"
        hint = (
            "If they are measurements, keep their units: --kind map --axes NHW (or NCHW, NHWC). If they are"
            " images, floats must lie in 0 to 1 or in -1 to 1, integers in 0 to 255 (uint16: to 65535);"
            f" otherwise give the values of black and white: --range {fitting}, or --range auto."
        )
        raise UsageError(
            f"{where} holds {dtype.name} from {least:g} to {most:g}, a range with no agreed meaning", hint
        )
    return {"low": low, "high": high}


def _extremes(reader: RowReader, where: str) -> tuple[float, float]:
    """Return the least and greatest value; raise ``DataError`` naming the first image that is not finite."""
    least, most = np.inf, -np.inf
    for index, row in enumerate(reader.all()):
        row_least, row_most = float(row.min()), float(row.max())
        if not np.isfinite(row_least) or not np.isfinite(row_most):
            what = "NaN" if np.isnan(row_least) else "an infinite value"
            hint = "Leave such images out, or replace the values (numpy.nan_to_num)."
            raise DataError(f"{where} holds {what} in image [{index}]", hint)
        least, most = min(least, row_least), max(most, row_most)
    return least, most
