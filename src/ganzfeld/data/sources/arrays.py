"""NumPy files: ``.npy`` with one array of images, ``.npz`` with one and perhaps labels.

Images are (N, height, width), (N, height, width, channels) or (N, channels, height, width). ``value_range``
determines which values mean black and white. Nothing is unpickled.
"""

import zipfile
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, BinaryIO, cast, final

import numpy as np

from ganzfeld.data.decoding.decode import Decoded, decode_raster
from ganzfeld.data.decoding.preprocessing import Preprocessing
from ganzfeld.data.sources._array_labels import Rejected, array_labels
from ganzfeld.data.sources._rows import (
    EXPECTED,
    NUMBERS,
    RowReader,
    Rows,
    RowSource,
    channels_last,
    value_range,
)
from ganzfeld.errors import DataError
from ganzfeld.printable import listed, printable

_USUAL_NAMES = {  # the name of an array of images: the name of its labels
    "images": "labels",
    "pictures": "labels",
    "x_train": "y_train",
    "train_images": "train_labels",
    "x": "y",
    "X": "y",
    "data": "labels",
    "arr_0": "labels",
}
_USUAL_LABELS = ("labels", "y", "label", "targets", "target", "classes", "class")


def recognises(path: Path) -> int:
    """Recognise a file with the extension of a NumPy file."""
    return 2 if path.suffix.lower() in (".npy", ".npz") and path.is_file() else 0


@final
class ArraysSource(RowSource):
    """The images of an array, one entry per row."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        try:
            headers = _headers(path)
        except DataError:
            raise
        except Exception as problem:  # noqa: BLE001  hostile bytes make the parsers raise anything
            raise DataError(f"{printable(str(path))} cannot be read as a NumPy file ({problem})") from None
        self._arrays = {key: rows for key, rows in headers.items() if isinstance(rows, Rows)}
        self._unread = {key: reason for key, reason in headers.items() if isinstance(reason, str)}
        self.key = self._find_images()
        self.rows = self._arrays[self.key]
        self.where = f"{printable(path.name)}{f' [{self.key}]' if self.key else ''}"
        self.reader = RowReader(self.rows, lambda: _open(path, self.key, self.files))

    def decode(self, raw: bytes | np.ndarray, framing: Preprocessing, frame: int = 0) -> Decoded:
        """Scale the values to 0 to 255 by the range from ``prepare``, then crop and scale the image."""
        samples = channels_last(cast(np.ndarray, raw))
        return decode_raster(samples, framing, "array", self.facts["low"], self.facts["high"])

    def classes(self, names: Iterable[str]) -> Iterable[str] | None:
        """Return the labels in the array beside the images, and note the arrays that are not read."""
        key, labels = self._labels()
        self._note_unread(key)
        return labels

    def prepare(self, framing: Preprocessing) -> dict[str, Any]:
        """Determine the values of black and white, from all values of the array unless a range is given.

        Data that are no images keep their values.
        """
        if framing.kind != "image":
            return super().prepare(framing)
        facts = value_range(self.reader, self.where, framing.range)
        if self.rows.dtype != np.uint8 and not framing.range:
            black, white = facts["low"], facts["high"]
            self.notes.append(
                f"{self.where}: {self.rows.dtype.name}, {black} read as black, {white} as white"
            )
        count, shape = self.rows.count, self.rows.shape
        if len(shape) == 2 and count in (3, 4):
            self.notes.append(
                f"{self.where}: {(count, *shape)} read as {count} grey images; a single colour image "
                f"would be {(1, count, *shape)}"
            )
        return facts

    def looked_for(self) -> str:
        """Return what would have counted as an image."""
        return "an array with at least one image"

    def _find_images(self) -> str:
        """Return the name of the array with the images; raise ``DataError`` if none or several fit."""
        numbers = {key: rows for key, rows in self._arrays.items() if rows.dtype.kind in NUMBERS}
        candidates = [key for key, rows in numbers.items() if len(rows.shape) in (2, 3)]
        # Arrays of more axes are no images, but may be other data, if the user says so.
        candidates = candidates or [key for key, rows in numbers.items() if len(rows.shape) > 3]
        usual = [key for key in _USUAL_NAMES if key in candidates]
        if len(candidates) == 1 or usual:
            return usual[0] if usual else candidates[0]
        contents = {
            key: f"{rows.dtype.name} of the shape {(rows.count, *rows.shape)}"
            for key, rows in self._arrays.items()
        } | self._unread
        shown = "; ".join(f"{printable(key)}: {what}" if key else what for key, what in contents.items())
        hint = f"Name the array of images {' or '.join(_USUAL_NAMES)}." if candidates else EXPECTED
        what = "several arrays could be images" if candidates else "no array can be images"
        raise DataError(f"{printable(str(self.path))}: {what} ({shown or 'it is empty'})", hint)

    def _note_unread(self, labels: str) -> None:
        """Note which arrays were read if there are others; ``labels`` names that of the labels, if any."""
        unread = [key for key in (*self._arrays, *self._unread) if key not in (self.key, labels)]
        if not unread:
            return
        beside = f", with its labels {printable(labels)}" if labels else ""
        verb = "was" if len(unread) == 1 else "were"
        self.notes.append(f"{self.where}: this array was read{beside}; {listed(unread)} {verb} not")

    def _labels(self) -> tuple[str, list[str] | None]:
        """Return the name of the array of labels and the labels; record why other candidates are invalid."""
        names = [key for key in (_USUAL_NAMES.get(self.key), *_USUAL_LABELS) if key and key != self.key]
        for key in dict.fromkeys(names):
            if key in self._unread:
                self.label_problems.append(f"{key}: {self._unread[key]}")
            elif key in self._arrays:
                try:
                    return key, array_labels(
                        self._arrays[key],
                        self.rows.count,
                        lambda files, key=key: _open(self.path, key, files),
                    )
                except Rejected as problem:
                    self.label_problems.append(f"{key}: {problem}")
        return "", None


def _open(path: Path, key: str, files: ExitStack) -> BinaryIO:
    """Open the stream of an array (the file or one of its members); ``files`` closes it."""
    if path.suffix.lower() == ".npy":
        return files.enter_context(path.open("rb"))
    archive = files.enter_context(zipfile.ZipFile(path))
    return cast(BinaryIO, files.enter_context(archive.open(f"{key}.npy")))


def _headers(path: Path) -> dict[str, Rows | str]:
    """Return by name where each array of a file is, or why it is not read; that of an ``.npy`` is ``""``."""
    if path.suffix.lower() == ".npy":
        with path.open("rb") as stream:
            rows = _header(stream)
        if isinstance(rows, Rows) and rows.offset + rows.count * rows.row_bytes > path.stat().st_size:
            raise DataError(f"{printable(str(path))} is truncated: it ends before its {rows.count} images do")
        return {"": rows}
    headers: dict[str, Rows | str] = {}
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            if member.filename.endswith(".npy"):
                with archive.open(member) as stream:
                    rows = _header(cast(BinaryIO, stream))
                if isinstance(rows, Rows) and rows.offset + rows.count * rows.row_bytes != member.file_size:
                    rows = "damaged: its length differs from that in its header"
                headers[member.filename.removesuffix(".npy")] = rows
    return headers


def _header(stream: BinaryIO) -> Rows | str:
    """Return where the rows of the array at the start of a stream are, or why they are not read."""
    version = np.lib.format.read_magic(stream)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, fortran_order, dtype = read(stream)
    if dtype.hasobject:
        return "Python objects, which are never unpickled"
    if len(shape) == 0 or dtype.names:
        return "a single value" if dtype.names is None else "records with named fields"
    if fortran_order and len(shape) > 1:
        return "in Fortran order; convert it with numpy.ascontiguousarray before saving"
    return Rows(stream.tell(), shape[0], tuple(shape[1:]), dtype)
