"""Make one shard of a dataset: read, hash, decode and write a range of a listing."""

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ganzfeld.data.cache.shard_files import pixels_path, put, reasons_path, records_path, write_pixels
from ganzfeld.data.decoding.decode import UnusableImage
from ganzfeld.data.decoding.preprocessing import Preprocessing
from ganzfeld.data.file_list import FileList
from ganzfeld.data.ingest.reuse_index import ReuseIndex
from ganzfeld.data.record import RECORD, appearance, tint
from ganzfeld.data.source import Entry, EntryReader, Source


@dataclass(slots=True)
class Job:
    """A shard to write from the entries [first, last).

    ``deadly`` maps entries that must not be decoded to the reason. ``careful``: every entry is reported
    before it is decoded, since one of them crashed a worker.
    """

    shard: int
    first: int
    last: int
    deadly: dict[int, str] = field(default_factory=dict)
    careful: bool = False


@dataclass(slots=True)
class ShardWriter:
    """Decodes ranges of a listing into the folder of its dataset.

    ``begin(job, index)`` is called before every entry.
    """

    folder: Path
    source: Source
    listing: FileList
    framing: Preprocessing
    known: ReuseIndex
    begin: Callable[[Job, int], None]
    reader: EntryReader = field(init=False)

    def __post_init__(self) -> None:
        self.reader = EntryReader(self.source)

    def write(self, job: Job) -> None:
        """Write one shard, with the reason for each image that cannot be used.

        Raises ``ResourceError`` if the cache cannot be written.
        """
        records = np.zeros(job.last - job.first, RECORD)
        records["row"] = -1
        reasons: dict[int, str] = {}
        shape = (self.framing.height, self.framing.width, self.framing.channels or 3)
        images = self._images(job, records, reasons)
        number = job.shard
        put(pixels_path(self.folder, number), lambda part: write_pixels(part, images, len(records), shape))
        put(records_path(self.folder, number), lambda part: part.write_bytes(records.tobytes()))
        put(reasons_path(self.folder, number), lambda part: part.write_text(json.dumps(reasons), "ascii"))

    def _images(self, job: Job, records: np.ndarray, reasons: dict[int, str]) -> Iterator[np.ndarray]:
        """Yield the usable images of a job, filling its records and reasons on the way."""
        row = 0
        for index in range(job.first, job.last):
            self.begin(job, index)
            record = records[index - job.first : index - job.first + 1]
            try:
                if index in job.deadly:
                    raise UnusableImage(job.deadly[index])
                image = self._image(self.listing[index], record)
            except UnusableImage as reason:
                reasons[index] = str(reason)
                continue
            record["row"] = row
            row += 1
            yield image

    def _image(self, entry: Entry, record: np.ndarray) -> np.ndarray:
        """Read one entry and decode it unless it is in the index; fill its record, of shape (1,)."""
        if entry.flaw:
            raise UnusableImage(entry.flaw)
        try:
            raw, sha256 = self.reader.read(entry)
        except OSError as problem:
            raise UnusableImage(f"cannot be read ({problem.strerror or problem})") from None
        if match := self.known.find(sha256):
            record[0], pixels = match
            return pixels
        record["sha256"] = np.frombuffer(sha256, np.uint8)
        return self._decode(raw, entry, record)

    def _decode(self, raw: bytes | np.ndarray, entry: Entry, record: np.ndarray) -> np.ndarray:
        decoded = self.source.decode(raw, self.framing, max(entry.frame, 0))
        record["frames"], record["hidden"] = decoded.num_frames, decoded.num_hidden
        record["pixels"] = np.frombuffer(hashlib.sha256(decoded.pixels.tobytes()).digest(), np.uint8)
        record["look"], record["cells"] = appearance(decoded.pixels)
        record["darkest"], record["brightest"] = decoded.levels
        record["assumed"], record["tint"] = decoded.assumed.encode(), tint(decoded.pixels)
        stored = decoded.stored
        record["least"], record["most"], record["white"] = stored.least, stored.most, stored.white
        record["low"], record["high"] = stored.low, stored.high
        record["width"], record["height"] = decoded.width, decoded.height
        record["format"], record["mode"] = decoded.format.encode(), decoded.mode.encode()
        record["grey"], record["clear"] = decoded.grey, decoded.clear
        return decoded.pixels
