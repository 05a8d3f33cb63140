"""One shard of a cached set: a range of a listing, read, hashed, decoded and written.

``00007.npy`` holds the pixels, uint8 (rows, height, width, channels); ``00007.records`` one record an entry;
``00007.json`` the reasons for those that have no row. The last is written last: a shard with it is complete.
"""

import contextlib
import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ganzfeld.data.decode import Decoded, UnusablePicture
from ganzfeld.data.framing import Framing
from ganzfeld.data.listing import Listing
from ganzfeld.data.record import RECORD, difference_hash
from ganzfeld.data.source import Entry, Source
from ganzfeld.durable import write_bytes, write_file

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


class ShardWriter:
    """Decodes ranges of a listing into the folder of its set.

    ``begin(index)`` is called before every entry, so that someone knows which one it was if this process
    dies.
    """

    def __init__(
        self, folder: Path, source: Source, listing: Listing, framing: Framing, begin: Callable[[int], None]
    ) -> None:
        self.folder, self.source, self.listing, self.framing, self.begin = (
            folder,
            source,
            listing,
            framing,
            begin,
        )

    def write(self, number: int, first: int, last: int, deadly: dict[int, str]) -> None:
        """Writes shard ``number`` from the entries [first, last).

        ``deadly`` gives reasons for entries that must not be tried again. Raises ``ResourceError`` if the
        cache cannot be written; whatever is wrong with a picture becomes its reason.
        """
        records = np.zeros(last - first, RECORD)
        records["row"] = -1
        reasons: dict[int, str] = {}

        def pictures() -> Iterator[np.ndarray]:
            row = 0
            for index in range(first, last):
                self.begin(index)
                try:
                    if index in deadly:
                        raise UnusablePicture(deadly[index])
                    decoded = self._decoded(self.listing[index], records[index - first])
                except UnusablePicture as reason:
                    reasons[index] = str(reason)
                    continue
                records[index - first]["row"] = row
                row += 1
                yield decoded.pixels

        channels = self.framing.channels or 3
        shape = (self.framing.height, self.framing.width, channels)
        write_file(
            pixels_path(self.folder, number), lambda part: write_pixels(part, pictures(), last - first, shape)
        )
        write_bytes(records_path(self.folder, number), records.tobytes())
        write_bytes(reasons_path(self.folder, number), json.dumps(reasons).encode())

    def _decoded(self, entry: Entry, record: np.ndarray) -> Decoded:
        """Reads and decodes one entry and fills its record."""
        if entry.flaw:
            raise UnusablePicture(entry.flaw)
        try:
            raw = self.source.read(entry)
        except OSError as problem:
            raise UnusablePicture(f"cannot be read ({problem.strerror or problem})") from None
        content = raw if isinstance(raw, bytes) else raw.tobytes()
        record["sha256"] = np.frombuffer(hashlib.sha256(content).digest(), np.uint8)
        decoded = self.source.decode(raw, self.framing)
        fill(record, decoded.pixels)
        record["width"], record["height"] = decoded.width, decoded.height
        record["format"], record["mode"] = decoded.format.encode(), decoded.mode.encode()
        record["grey"] = decoded.grey
        return decoded


def fill(record: np.ndarray, pixels: np.ndarray) -> None:
    """Puts down what depends on the pixels alone."""
    record["pixels"] = np.frombuffer(hashlib.sha256(pixels.tobytes()).digest(), np.uint8)
    record["look"] = difference_hash(pixels)


def write_pixels(path: Path, pictures: Iterator[np.ndarray], most: int, shape: tuple[int, ...]) -> None:
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


def is_complete(folder: Path, number: int) -> bool:
    """Whether a shard was written to its end."""
    return reasons_path(folder, number).exists()


def discard(folder: Path, number: int) -> None:
    """Removes what there is of a shard, the mark of completeness first."""
    for path in (reasons_path(folder, number), records_path(folder, number), pixels_path(folder, number)):
        with contextlib.suppress(FileNotFoundError):
            path.unlink()


def _header(file: BinaryIO, shape: tuple[int, ...]) -> None:
    np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})
