"""The files of the shards of a dataset: their names and sizes, and whether they are complete.

``00007.npy`` holds the stored values, such as uint8 (rows, height, width, channels); ``00007.records`` one
record per entry of the listing; ``00007.json`` the reasons for entries without a row. The ``.json`` is
written last.
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
"""The temporary names that ``put`` uses."""
_OF_A_SET = re.compile(
    r"[0-9]{5,}\.(npy|records|json)|(manifest|reasons|duplicates)\.json|(records|known)\.bin|labels\.npy|begun",
    re.ASCII,
)
"""The names of all files of a set that are first written under a temporary name."""
_SHARD_BYTES = 2**22
_FEWEST_SHARDS = 32  # enough to keep many processes busy to the end
_MOST_SHARDS = 128  # every open shard takes a file handle, and macOS gives a process 256


def bounds(num_entries: int, image_bytes: int) -> list[tuple[int, int]]:
    """Return the ranges [first, last) of a listing that become shards: 32 to 128 of at most 4 MiB each.

    A large dataset has larger shards, never more; a tiny dataset has fewer, with one image each.
    """
    length = min(max(1, _SHARD_BYTES // image_bytes), -(-num_entries // _FEWEST_SHARDS))
    length = max(1, length, -(-num_entries // _MOST_SHARDS))
    return [(first, min(first + length, num_entries)) for first in range(0, num_entries, length)]


def pixels_path(folder: Path, number: int) -> Path:
    """Return the path of the pixels of a shard."""
    return folder / f"{number:05}.npy"


def records_path(folder: Path, number: int) -> Path:
    """Return the path of the records of a shard."""
    return folder / f"{number:05}.records"


def reasons_path(folder: Path, number: int) -> Path:
    """Return the path of the reasons of a shard."""
    return folder / f"{number:05}.json"


def records(folder: Path, number: int) -> np.ndarray:
    """Return the records of a shard, shape (entries,)."""
    return np.fromfile(records_path(folder, number), RECORD)


def mapped_pixels(folder: Path, number: int) -> np.ndarray:
    """Map the pixels of a shard into memory; raise ``OSError`` or ``ValueError`` for an incomplete file."""
    # As a plain array, since every index into an np.memmap costs a microsecond more.
    return np.load(pixels_path(folder, number), mmap_mode="r").view(np.ndarray)


def is_complete(folder: Path, number: int, num_entries: int) -> bool:
    """Return whether a shard was written completely and its files have the right sizes."""
    if not reasons_path(folder, number).exists():
        return False
    try:
        shard_records = records(folder, number)
        rows = shard_records["row"][shard_records["row"] >= 0]
        in_order = np.array_equal(rows, np.arange(len(mapped_pixels(folder, number))))
        return len(shard_records) == num_entries and in_order
    except (OSError, ValueError):
        return False


def put(path: Path, write: Callable[[Path], object]) -> None:
    """Let ``write`` fill a temporary file and move it to ``path``; may raise ``ResourceError``.

    The file is not flushed to the disk. A set is flushed once, when it is finalized; shards that a power cut
    damages before that are decoded again.
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
    """Flush a file to the disk; may raise ``ResourceError``."""
    try:
        with path.open("rb+") as file:
            os.fsync(file.fileno())
    except OSError as problem:
        raise refused(problem, path) from problem


def write_pixels(
    path: Path, images: Iterable[np.ndarray], most: int, shape: tuple[int, ...], dtype: np.dtype
) -> None:
    """Stream up to ``most`` images into an ``.npy`` file; grey images are repeated to fill ``shape``."""
    with path.open("wb") as file:
        _header(file, (most, *shape), dtype)
        begin, rows = file.tell(), 0
        for image in images:
            row = image if image.shape == shape else np.broadcast_to(image, shape)
            file.write(np.ascontiguousarray(row).data)
            rows += 1
        file.seek(0)
        _header(file, (rows, *shape), dtype)
        # NumPy pads the header so that the length of the first axis can be overwritten in place.
        assert file.tell() == begin


def sweep(folder: Path) -> None:
    """Remove the unfinished files that a killed process left in the folder of a set, and no others."""
    for part in filter(_is_unfinished, folder.glob(".*.part")):
        with contextlib.suppress(OSError):
            part.unlink()


def _is_unfinished(part: Path) -> bool:
    """Return whether a file has the temporary name of a file of a set."""
    name = final_name(part.name) or (by_process[1] if (by_process := _PART.fullmatch(part.name)) else "")
    return _OF_A_SET.fullmatch(name) is not None and part.is_file() and not part.is_symlink()


def _header(file: BinaryIO, shape: tuple[int, ...], dtype: np.dtype) -> None:
    header = {"descr": dtype.str, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, header)
