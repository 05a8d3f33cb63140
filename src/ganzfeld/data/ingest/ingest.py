"""Make a complete dataset from a listing: decode what interrupted attempts left over, then finalize it."""

import math
import shutil
import time
from collections.abc import Callable
from pathlib import Path

from ganzfeld.data.cache.shard_files import bounds, is_complete, sweep
from ganzfeld.data.cache.store import Manifest
from ganzfeld.data.decoding.preprocessing import Preprocessing
from ganzfeld.data.file_list import FileList
from ganzfeld.data.ingest.finalize import finalize
from ganzfeld.data.ingest.reuse_index import ReuseIndex, find_relatives, write_index
from ganzfeld.data.ingest.shard_writer import Job, ShardWriter
from ganzfeld.data.ingest.worker_pool import WorkerPool
from ganzfeld.data.kinds import kind_of_data
from ganzfeld.data.record import RECORD
from ganzfeld.data.source import Source
from ganzfeld.errors import ResourceError
from ganzfeld.progress import CountCallback
from ganzfeld.system import num_cores

FEW = 64
"""Up to this many images are decoded in this process, since starting another takes longer."""


def ingest(
    folder: Path,
    kind: str,
    source: Source,
    listing: FileList,
    framing: Preprocessing,
    progress: CountCallback,
    workers: int | None,
) -> Manifest:
    """Decode all of a source into the folder of its dataset, and return the manifest written there.

    ``workers`` is the number of processes; None means one per CPU core. Raises ``ResourceError`` if the cache
    is full or cannot be written, ``DataError`` if the source as a whole cannot be read.
    """
    started_at = time.monotonic()
    sweep(folder)
    source.facts = source.prepare(framing)
    relatives = find_relatives(folder, kind, source, framing)
    write_index(folder, relatives)
    shape, dtype = kind_of_data(framing.kind).stored_type(framing, source.facts)
    item_bytes = math.prod(shape) * dtype.itemsize
    ranges = bounds(len(listing), item_bytes)
    jobs = [Job(n, *ends) for n, ends in enumerate(ranges) if not is_complete(folder, n, ends[1] - ends[0])]
    left = sum(job.last - job.first for job in jobs)
    _check_disk_space(folder, item_bytes, left)

    def report(done: int) -> None:
        progress(len(listing) - left + done, len(listing), "decoding images")

    report(0)
    num_workers = num_cores() if workers is None else workers
    if num_workers == 0 or left <= FEW:
        known = ReuseIndex(folder, relatives)
        writer = ShardWriter(folder, source, listing, framing, known, lambda job, index: None)
        _write_in_this_process(jobs, writer, report)
    else:
        task = {
            "folder": str(folder),
            "kind": kind,
            "path": str(source.path.absolute()),
            "facts": source.facts,
            "framing": framing.as_json(),
            "relatives": [str(relative) for relative in relatives],
        }
        WorkerPool(task, num_workers, report).run(jobs)
    return finalize(folder, kind, source, listing, framing, len(ranges), time.monotonic() - started_at)


def _write_in_this_process(jobs: list[Job], writer: ShardWriter, report: Callable[[int], None]) -> None:
    done = 0
    for job in jobs:
        writer.begin = lambda job, index, before=done: report(before + index - job.first)
        writer.write(job)
        done += job.last - job.first
        report(done)


def _check_disk_space(folder: Path, item_bytes: int, num_pictures: int) -> None:
    """Raise ``ResourceError`` if the decoded images will not fit on the disk of the cache."""
    needed = num_pictures * (item_bytes + 2 * RECORD.itemsize)
    free = shutil.disk_usage(folder).free
    if needed > free:
        hint = "Free some space, or put the cache elsewhere with the environment variable GANZFELD_CACHE."
        raise ResourceError(
            f"the cache needs {needed / 2**20:.0f} MiB in {folder}, but only {free / 2**20:.0f} MiB are free",
            hint,
        )
