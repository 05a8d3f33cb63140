"""The files of a set's shards: their names, their sizes, and whether one is complete.

``00007.npy`` holds the pixels, uint8 (rows, height, width, channels); ``00007.records`` one record an entry
of the listing; ``00007.json`` the reasons for those that have no row. The last is written last.
"""

import contextlib
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ganzfeld.data.record import RECORD

_SHARD_BYTES = 2**22
_MOST_SHARDS = 128  # every open one costs a file handle, and macOS gives a process 256


def bounds(num_entries: int, picture_bytes: int) -> list[tuple[int, int]]:
    """The ranges [first, last) of a listing that become shards: about 4 MiB each, but not more than 128."""
    length = max(1, _SHARD_BYTES // picture_bytes, -(-num_entries // _MOST_SHARDS))
    return [(first, min(first + length, num_entries)) for first in range(0, num_entries, length)]


def pixels_path(folder: Path, number: int) -> Path:
    """Where the pixels of a shard are."""
    return folder / f"{number:05}.npy"


def records_path(folder: Path, number: int) -> Path:
    """Where the records of a shard are."""
    return folder / f"{number:05}.records"


def reasons_path(folder: Path, number: int) -> Path:
    """Where the reasons of a shard are."""
    return folder / f"{number:05}.json"


def records(folder: Path, number: int) -> np.ndarray:
    """The records of a shard, shape (entries,)."""
    return np.fromfile(records_path(folder, number), RECORD)


def mapped_pixels(folder: Path, number: int) -> np.ndarray:
    """The pixels of a shard, mapped into memory; ``OSError`` or ``ValueError`` if the file is not whole."""
    # As a plain array: np.memmap costs a microsecond more at every index.
    return np.load(pixels_path(folder, number), mmap_mode="r").view(np.ndarray)


def is_complete(folder: Path, number: int, num_entries: int) -> bool:
    """Whether a shard was written to its end and its files have the sizes that they should."""
    if not reasons_path(folder, number).exists():
        return False
    try:
        known = records(folder, number)
        return len(known) == num_entries and len(mapped_pixels(folder, number)) == (known["row"] >= 0).sum()
    except (OSError, ValueError):
        return False


def write_pixels(path: Path, pictures: Iterable[np.ndarray], most: int, shape: tuple[int, ...]) -> None:
    """Streams pictures, grey ones widened to ``shape``, into an ``.npy`` file of as many rows as come."""
    with path.open("wb") as file:
        _header(file, (most, *shape))
        begin, rows = file.tell(), 0
        for picture in pictures:
            file.write(np.ascontiguousarray(np.broadcast_to(picture, shape)).data)
            rows += 1
        file.seek(0)
        _header(file, (rows, *shape))
        # NumPy pads the header so that the first axis can change in place.
        assert file.tell() == begin


def sweep(folder: Path) -> None:
    """Removes the unfinished files that a killed process left in the folder of a set."""
    for part in folder.glob(".*.part"):
        with contextlib.suppress(OSError):
            part.unlink()


def _header(file: BinaryIO, shape: tuple[int, ...]) -> None:
    np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})
