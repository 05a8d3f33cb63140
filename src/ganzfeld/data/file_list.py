"""The list of a source's images on disk: what is there, before any of it is read.

Two flat files that are mapped into memory, so that ten million names cost no more of it than one, and one
digest of all names, sizes and times by which an unchanged source is recognised.
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
    """The entries that ``write_listing`` wrote into a folder, by index."""

    def __init__(self, folder: Path) -> None:
        rest = json.loads((folder / _REST).read_text("utf-8"))
        self.digest: str = rest["digest"]
        self.flaws: dict[int, str] = {int(index): flaw for index, flaw in rest["flaws"].items()}
        self._rows = np.fromfile(folder / _ROWS, _ROW, 0)
        if (folder / _ROWS).stat().st_size:
            # As plain arrays: np.memmap costs a microsecond more at every index.
            self._rows = np.memmap(folder / _ROWS, _ROW, mode="r").view(np.ndarray)
        self._names = np.fromfile(folder / _NAMES, np.uint8, 0)
        if (folder / _NAMES).stat().st_size:  # the frames of a file that is all there is have no names
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
        """How long the file of the names is, in bytes."""
        return int(self._rows["name_end"][-1])

    def shown(self, index: int) -> str:
        """The name of one entry for people, with the number of its frame."""
        return self[index].shown

    def name(self, index: int) -> str:
        """The name of one entry: that of its file."""
        begin = int(self._rows["name_end"][index - 1]) if index else 0
        end = int(self._rows["name_end"][index])
        return self._names[begin:end].tobytes().decode("utf-8", "surrogatepass")


class Names:
    """The names of a listing in order, ``""`` where ``wanted`` is false; can be gone through many times."""

    def __init__(self, listing: FileList, wanted: np.ndarray | None = None) -> None:
        self._listing, self._wanted = listing, wanted

    def __iter__(self) -> Iterator[str]:
        wanted_ones = np.ones(len(self._listing), bool) if self._wanted is None else self._wanted
        for index, wanted in enumerate(wanted_ones):
            yield self._listing.name(index) if wanted else ""


def write_listing(entries: Iterable[Entry], folder: Path) -> FileList:
    """Writes entries into an existing folder as they come and opens them; may raise ``ResourceError``."""
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
        # Sources answer for their own files; what fails here is the cache.
        raise refused(problem, folder) from problem
    return FileList(folder)


def is_whole(folder: Path) -> bool:
    """Whether the files of a listing have the sizes that they should."""
    try:
        listing = FileList(folder)
        return not len(listing) or (folder / _NAMES).stat().st_size == listing.names_end
    except (OSError, ValueError, KeyError):
        return False
