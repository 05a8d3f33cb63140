"""HDF5 files: the only array of numbers in the file, or the one with a usual name, such as ``images``.

The format does not say what the numbers are, so the user must.
"""

from pathlib import Path
from typing import Any, final

import numpy as np

from ganzfeld.data.decoding.decode import UnusableImage
from ganzfeld.data.sources._rows import NUMBERS, RowReader, Rows, RowSource
from ganzfeld.errors import DataError, ResourceError
from ganzfeld.printable import listed, printable

_MAGIC = b"\x89HDF\r\n\x1a\n"
_USUAL_NAMES = ("images", "data", "maps", "x", "X", "x_train")


def recognises(path: Path) -> int:
    """Recognise a file by its first bytes."""
    if not path.is_file():
        return 0
    with path.open("rb") as file:
        return 2 if file.read(len(_MAGIC)) == _MAGIC else 0


class _DatasetReader(RowReader):
    """Reads single rows of a dataset, which may be compressed."""

    def __init__(self, rows: Rows, dataset: Any) -> None:
        super().__init__(rows, lambda: dataset)
        self._dataset = dataset

    def row(self, index: int) -> np.ndarray:
        """Return row ``index`` as stored, or all rows if they are one item."""
        try:
            is_one = self.rows.shape == self._dataset.shape
            return self._dataset[()] if is_one else self._dataset[index]
        except Exception as problem:  # noqa: BLE001  a damaged file makes the library raise anything
            raise UnusableImage(f"damaged ({type(problem).__name__}: {problem})") from None


@final
class Hdf5Source(RowSource):
    """The rows of a dataset, one entry per row."""

    KINDS = ("map", "image")
    LEAVES_CHOICE = True
    FORMAT = "HDF5"

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        try:
            import h5py
        except ImportError:
            raise ResourceError(
                "reading HDF5 needs the package h5py, which is not installed",
                'Install it: pip install "ganzfeld[hdf5]"',
            ) from None
        try:
            file = self.files.enter_context(h5py.File(path, "r"))
            arrays: dict[str, Any] = {}

            def note(name: str, node: Any) -> None:
                # Only real numbers of this file itself: no links to others, which a hostile file may hold.
                if isinstance(node, h5py.Dataset) and node.dtype.kind in NUMBERS and len(node.shape) > 1:
                    arrays[name] = node

            file.visititems(note)
        except Exception as problem:  # noqa: BLE001  hostile bytes make the library raise anything
            raise DataError(f"{printable(str(path))} cannot be read as HDF5 ({problem})") from None
        self.key = self._choose(arrays)
        dataset = arrays[self.key]
        self.where = f"{printable(path.name)} [{printable(self.key)}]"
        self.rows = Rows(0, dataset.shape[0], tuple(dataset.shape[1:]), dataset.dtype)
        self.reader = _DatasetReader(self.rows, dataset)

    def _choose(self, arrays: dict[str, Any]) -> str:
        usual = [name for name in _USUAL_NAMES if name in arrays]
        if len(arrays) == 1 or usual:
            return usual[0] if usual else next(iter(arrays))
        what = f"several arrays: {listed(list(arrays))}" if arrays else "no array of numbers"
        hint = f"Name the array to train on {' or '.join(_USUAL_NAMES)}."
        raise DataError(f"{printable(str(self.path))} holds {what}", hint)
