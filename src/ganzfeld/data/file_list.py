"""The listing of a source on disk: its entries, before any of them is read.

It consists of two flat files that are mapped into memory, so that ten million names need no more memory than
one, and a digest of all names, sizes and times, by which an unchanged source is recognised.
"""

import hashlib
import json
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from ganzfeld.data.source import Entry
from ganzfeld.durable import refused

_ROW = np.dtype(
    [("name_end", "<u8"), ("size", "<u8"), ("mtime_ns", "<i8"), ("locator", "<u8"), ("frame", "<i4")]
)
_PACKED = struct.Struct("<QQqQi")
_NAMES, _ROWS, _REST = "names.bin", "entries.bin", "listing.json"


class FileList:
    """The entries that ``write_listing`` wrote to a folder, by index."""

    def __init__(self, folder: Path) -> None:
        rest = json.loads((folder / _REST).read_text("utf-8"))
        self.digest: str = rest["digest"]
        self.flaws: dict[int, str] = {int(index): flaw for index, flaw in rest["flaws"].items()}
        self._rows = np.fromfile(folder / _ROWS, _ROW, 0)
        if (folder / _ROWS).stat().st_size:
            # As plain arrays, since every index into an np.memmap costs a microsecond more.
            self._rows = np.memmap(folder / _ROWS, _ROW, mode="r").view(np.ndarray)
        self._names = np.fromfile(folder / _NAMES, np.uint8, 0)
        if (folder / _NAMES).stat().st_size:  # the file is empty for a stack, whose frames have no names
            self._names = np.memmap(folder / _NAMES, np.uint8, mode="r").view(np.ndarray)

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> Entry:
        row = self._rows[index]
        return Entry(
            self.name(index),
            int(row["size"]),
            int(row["mtime_ns"]),
            int(row["locator"]),
            self.flaws.get(index, ""),
            int(row["frame"]),
        )

    @property
    def names_end(self) -> int:
        """The length of the file of names in bytes."""
        return int(self._rows["name_end"][-1])

    def shown(self, index: int) -> str:
        """Return the name of one entry for people, with the number of its frame."""
        return self[index].shown

    def name(self, index: int) -> str:
        """Return the name of one entry, which is that of its file."""
        begin = int(self._rows["name_end"][index - 1]) if index else 0
        end = int(self._rows["name_end"][index])
        return self._names[begin:end].tobytes().decode("utf-8", "surrogatepass")


class Names:
    """The names of a listing in order, ``""`` where ``wanted`` is false; can be iterated over many times."""

    def __init__(self, listing: FileList, wanted: np.ndarray | None = None) -> None:
        self._listing, self._wanted = listing, wanted

    def __iter__(self) -> Iterator[str]:
        mask = np.ones(len(self._listing), bool) if self._wanted is None else self._wanted
        for index, is_wanted in enumerate(mask):
            yield self._listing.name(index) if is_wanted else ""


def write_listing(entries: Iterable[Entry], folder: Path) -> FileList:
    """Write a stream of entries to an existing folder and open the listing; may raise ``ResourceError``."""
    digest, flaws, name_end = hashlib.sha256(), {}, 0
    try:
        with (folder / _ROWS).open("wb") as rows, (folder / _NAMES).open("wb") as names:
            for index, entry in enumerate(entries):
                name = entry.name.encode("utf-8", "surrogatepass")
                name_end += len(name)
                row = _PACKED.pack(name_end, entry.size, entry.mtime_ns, entry.locator, entry.frame)
                names.write(name)
                rows.write(row)
                digest.update(row + name)
                if entry.flaw:
                    flaws[index] = entry.flaw
                    digest.update(entry.flaw.encode())
        rest = {"digest": digest.hexdigest(), "flaws": flaws}
        (folder / _REST).write_text(json.dumps(rest), "utf-8")
    except OSError as problem:
        # Sources handle errors of their own files, so an error here concerns the cache.
        raise refused(problem, folder) from problem
    return FileList(folder)


def is_whole(folder: Path) -> bool:
    """Return whether the files of a listing have the right sizes."""
    try:
        listing = FileList(folder)
        return not len(listing) or (folder / _NAMES).stat().st_size == listing.names_end
    except (OSError, ValueError, KeyError):
        return False
