"""Make one shard of a dataset: read, hash, decode and write a range of a listing."""

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
from ganzfeld.data.kinds import Kind, kind_of_data
from ganzfeld.data.record import RECORD
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
    kind: Kind = field(init=False)

    def __post_init__(self) -> None:
        self.reader = EntryReader(self.source)
        self.kind = kind_of_data(self.framing.kind)

    def write(self, job: Job) -> None:
        """Write one shard, with the reason for each image that cannot be used.

        Raises ``ResourceError`` if the cache cannot be written.
        """
        records = np.zeros(job.last - job.first, RECORD)
        records["row"] = -1
        reasons: dict[int, str] = {}
        shape, dtype = self.kind.stored_type(self.framing, self.source.facts)
        images = self._images(job, records, reasons)
        number, most = job.shard, len(records)
        put(pixels_path(self.folder, number), lambda part: write_pixels(part, images, most, shape, dtype))
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
        return self.kind.write(self.source, raw, self.framing, max(entry.frame, 0), record)
