"""The files of a set's shards: their names, their sizes, and whether one is complete.

``00007.npy`` holds the pixels, uint8 (rows, height, width, channels); ``00007.records`` one record an entry
of the listing; ``00007.json`` the reasons for those that have no row. The last is written last.
"""

import contextlib
import os
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ganzfeld.data.record import RECORD
from ganzfeld.durable import final_name, refused

_PART = re.compile(r"\.(.+)\.[0-9]+\.part", re.ASCII)
"""What ``put`` makes of a name."""
_OF_A_SET = re.compile(
    r"[0-9]{5,}\.(npy|records|json)|(manifest|reasons|duplicates)\.json|(records|known)\.bin|labels\.npy|begun",
    re.ASCII,
)
"""The names of all files of a set that are written under another name at first."""
_SHARD_BYTES = 2**22
_FEWEST_SHARDS = 32  # enough to keep many processes busy to the end
_MOST_SHARDS = 128  # every open one costs a file handle, and macOS gives a process 256


def bounds(num_entries: int, image_bytes: int) -> list[tuple[int, int]]:
    """The ranges [first, last) of a listing that become shards: of at most 4 MiB, and from 32 to 128 of them.

    A large set has larger ones, so that there are no more; a tiny one has fewer, of one image each.
    """
    length = min(max(1, _SHARD_BYTES // image_bytes), -(-num_entries // _FEWEST_SHARDS))
    length = max(1, length, -(-num_entries // _MOST_SHARDS))
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
        rows = known["row"][known["row"] >= 0]
        in_order = np.array_equal(rows, np.arange(len(mapped_pixels(folder, number))))
        return len(known) == num_entries and in_order
    except (OSError, ValueError):
        return False


def put(path: Path, write: Callable[[Path], object]) -> None:
    """Lets ``write`` fill a file beside its place and moves it there whole; may raise ``ResourceError``.

    Not flushed to the disk: a set is, once, when it is sealed, and what a power cut spoils before is decoded
    again.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        write(part)
        part.replace(path)
    except OSError as problem:
        raise refused(problem, path) from problem
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)


def flush(path: Path) -> None:
    """Waits until a file is on the disk."""
    try:
        with path.open("rb+") as file:
            os.fsync(file.fileno())
    except OSError as problem:
        raise refused(problem, path) from problem


def write_pixels(path: Path, images: Iterable[np.ndarray], most: int, shape: tuple[int, ...]) -> None:
    """Streams images, grey ones widened to ``shape``, into an ``.npy`` file of as many rows as come."""
    with path.open("wb") as file:
        _header(file, (most, *shape))
        begin, rows = file.tell(), 0
        for image in images:
            whole = image if image.shape == shape else np.broadcast_to(image, shape)
            file.write(np.ascontiguousarray(whole).data)
            rows += 1
        file.seek(0)
        _header(file, (rows, *shape))
        # NumPy pads the header so that the first axis can change in place.
        assert file.tell() == begin


def sweep(folder: Path) -> None:
    """Removes the unfinished files that a killed process left in the folder of a set, and no others."""
    for part in filter(_is_unfinished, folder.glob(".*.part")):
        with contextlib.suppress(OSError):
            part.unlink()


def _is_unfinished(part: Path) -> bool:
    """Whether a file has the name of one that was to become one of a set."""
    name = final_name(part.name) or (by_process[1] if (by_process := _PART.fullmatch(part.name)) else "")
    return _OF_A_SET.fullmatch(name) is not None and part.is_file() and not part.is_symlink()


def _header(file: BinaryIO, shape: tuple[int, ...]) -> None:
    np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})
