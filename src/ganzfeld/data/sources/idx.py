"""IDX files, the format of MNIST and similar datasets, plain or gzipped.

A file has four header bytes (two zeros, the type, the number of axes), the lengths of the axes as big-endian
32-bit numbers, then the values. Images are bytes with the axes (N, height, width) or (N, height, width,
channels). Labels come from the file in the same folder whose name has ``labels-idx1`` in place of
``images-idx3``.
"""

import gzip
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, cast, final

import numpy as np

from ganzfeld.data.decoding.decode import Decoded, decode_raster
from ganzfeld.data.decoding.preprocessing import Preprocessing
from ganzfeld.data.source import Entry
from ganzfeld.data.sources._archive import check_expansion
from ganzfeld.data.sources._array_labels import Rejected, array_labels
from ganzfeld.data.sources._rows import RowReader, Rows, RowSource, channels_last
from ganzfeld.errors import DataError
from ganzfeld.printable import printable

_UNSIGNED_BYTES = 8
_TYPES = {_UNSIGNED_BYTES: "u1", 9: "i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}
_DAMAGE = (OSError, EOFError, ValueError, zlib.error)


def recognises(path: Path) -> int:
    """Recognise a file that begins like IDX, compressed or not."""
    try:
        with _open(path) as stream:
            begin = stream.read(4)
    except _DAMAGE:
        return 0
    return (
        2
        if len(begin) == 4 and begin[:2] == b"\0\0" and begin[2] in range(8, 15) and 1 <= begin[3] <= 4
        else 0
    )


@final
class IdxSource(RowSource):
    """The images of an IDX file, one entry per row."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.rows = _header(path)
        shown = printable(path.name)
        if len(self.rows.shape) not in (2, 3):
            hint = "Give the file with the images; its name usually contains images-idx3."
            raise DataError(f"{shown} holds {self.rows.count} labels or vectors, not images", hint)
        self.where = shown
        self.reader = RowReader(self.rows, lambda: self.files.enter_context(_open(path)))
        self._labels = _labels_beside(path)

    @property
    def version(self) -> str:
        """The name, size and time of the file of labels; empty if there is none."""
        if self._labels is None:
            return ""
        info = self._labels.stat()
        return f"{self._labels.name} {info.st_size} {info.st_mtime_ns}"

    def entries(self) -> Iterator[Entry]:
        """Yield one entry per row, named by its index; raise ``DataError`` if the file is truncated."""
        check_length(self.path, self.rows)
        yield from super().entries()

    def decode(self, raw: bytes | np.ndarray, framing: Preprocessing, frame: int = 0) -> Decoded:
        """Crop and scale the image."""
        return decode_raster(channels_last(cast(np.ndarray, raw)), framing, "IDX")

    def classes(self, names: Iterable[str]) -> Iterable[str] | None:
        """Return the labels in the file beside the images; None if there is none or it is invalid."""
        if self._labels is None:
            return None
        try:
            rows = _header(self._labels, _TYPES)
            check_length(self._labels, rows)
            path = self._labels
            return array_labels(rows, self.rows.count, lambda files: files.enter_context(_open(path)))
        except (Rejected, DataError) as problem:
            self.label_problems.append(f"{self._labels.name}: {problem}")
            return None

    def looked_for(self) -> str:
        """Return what would have counted as an image."""
        return "an IDX file with at least one image"


def _open(path: Path) -> BinaryIO:
    with path.open("rb") as stream:
        compressed = stream.read(2) == b"\x1f\x8b"
    return cast(BinaryIO, gzip.open(path)) if compressed else path.open("rb")


def _labels_beside(images: Path) -> Path | None:
    """Return the file with the labels of the images, or None."""
    name = images.name.replace("images-idx3", "labels-idx1").replace("images.idx3", "labels.idx1")
    for path in (images.with_name(name), images.with_name(name.removesuffix(".gz"))):
        if path != images and path.is_file() and recognises(path):
            return path
    return None


def _header(path: Path, types: dict[int, str] | None = None) -> Rows:
    """Return where the rows are; raise ``DataError`` for values of other types than ``types``."""
    types = types or {_UNSIGNED_BYTES: "u1"}
    shown = printable(str(path))
    try:
        with _open(path) as stream:
            kind, num_axes = stream.read(4)[2:]
            axes = [int.from_bytes(stream.read(4), "big") for _ in range(num_axes)]
    except _DAMAGE as problem:
        raise DataError(f"{shown} is damaged ({problem})") from None
    if kind not in types:
        raise DataError(f"{shown} holds IDX values of type {kind:#x}; images are unsigned bytes (0x8)")
    return Rows(4 + 4 * num_axes, axes[0], tuple(axes[1:]), np.dtype(types[kind]))


def check_length(path: Path, rows: Rows) -> None:
    """Raise ``DataError`` if a file is too short for the rows in its header."""
    length = rows.offset + rows.count * rows.row_bytes
    check_expansion(length, path)
    try:
        with _open(path) as stream:
            stream.seek(length - 1)
            complete = len(stream.read(1)) == 1
    except _DAMAGE as problem:
        raise DataError(f"{printable(str(path))} is damaged ({problem})") from None
    if not complete:
        raise DataError(f"{printable(str(path))} is truncated: it ends before its {rows.count} images do")
