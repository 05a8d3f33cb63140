"""Makes a complete set of a listing: decodes what no earlier, interrupted try has, then seals it."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from ganzfeld.data import shard
from ganzfeld.data.cache import Manifest
from ganzfeld.data.crew import Crew, Job
from ganzfeld.data.framing import Framing
from ganzfeld.data.listing import Listing
from ganzfeld.data.record import RECORD
from ganzfeld.data.seal import seal
from ganzfeld.data.shard import ShardWriter
from ganzfeld.data.source import Source
from ganzfeld.errors import ResourceError

Progress = Callable[[int, int, str], None]

FEW = 64
"""Up to so many pictures are decoded by this process: starting another takes longer."""


def ingest(
    folder: Path,
    kind: str,
    source: Source,
    listing: Listing,
    framing: Framing,
    progress: Progress,
    workers: int | None,
) -> Manifest:
    """Decodes all of a source into the folder of its set and returns the manifest that it wrote there.

    ``workers`` is the number of processes, by default that of processors. Raises ``ResourceError`` if the
    cache is full or cannot be written, ``DataError`` if the source as a whole cannot be read.
    """
    ranges = shard.bounds(len(listing), framing.width * framing.height * (framing.channels or 3))
    jobs = [Job(number, *ends) for number, ends in enumerate(ranges) if not shard.is_complete(folder, number)]
    _check_room(folder, framing, sum(job.last - job.first for job in jobs))
    source.facts = source.prepare()
    done_before = len(listing) - sum(job.last - job.first for job in jobs)

    def advanced(done: int) -> None:
        progress(done_before + done, len(listing), "decoding pictures")

    advanced(0)
    if workers is None:
        workers = usable_processors()
    if workers == 0 or len(listing) <= FEW:
        _alone(jobs, ShardWriter(folder, source, listing, framing, lambda index: None), advanced)
    else:
        task = {"folder": str(folder), "kind": kind, "path": str(source.path), "facts": source.facts}
        Crew({**task, "framing": framing.as_json()}, workers, advanced).run(jobs)
    return seal(folder, kind, source, listing, framing, len(ranges))


def _alone(jobs: list[Job], writer: ShardWriter, advanced: Callable[[int], None]) -> None:
    done = 0
    for job in jobs:
        writer.begin = lambda index, before=done - job.first: advanced(before + index)
        writer.write(job.shard, job.first, job.last, job.deadly)
        done += job.last - job.first
        advanced(done)


def _check_room(folder: Path, framing: Framing, num_pictures: int) -> None:
    """Raises ``ResourceError`` if what will be written does not fit on the disk of the cache."""
    needed = num_pictures * (framing.width * framing.height * (framing.channels or 3) + 2 * RECORD.itemsize)
    free = shutil.disk_usage(folder).free
    if needed > free:
        hint = "Free some space, or put the cache elsewhere with the environment variable GANZFELD_CACHE."
        raise ResourceError(
            f"the cache needs {needed / 2**20:.0f} MiB in {folder}, where {free / 2**20:.0f} are free", hint
        )


def usable_processors() -> int:
    """How many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
