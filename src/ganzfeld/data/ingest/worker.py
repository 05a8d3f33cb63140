"""A worker process that decodes shards: it reads jobs from standard input and reports on standard output.

Messages are JSON objects, one per line. An image that crashes or hangs a decoder ends only this process. It
is started as a program rather than forked, since forking beside threads deadlocks, and not spawned by
``multiprocessing``, which would run the user's script a second time.
"""

import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ganzfeld.data.decoding import decode
from ganzfeld.data.decoding.preprocessing import Preprocessing
from ganzfeld.data.file_list import FileList
from ganzfeld.data.ingest.reuse_index import ReuseIndex
from ganzfeld.data.ingest.shard_writer import Job, ShardWriter
from ganzfeld.data.sources import open_source
from ganzfeld.errors import GanzfeldError
from ganzfeld.lock import locked

HEARTBEAT_S = 0.1
TURN = "turn"
"""The lock file in the folder of a set, held by the worker that is decoding a very large image."""


def main() -> None:
    """Do the jobs from standard input until it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all processes; the parent ends this one
    report = _reporter()
    try:
        _work(report)
    except GanzfeldError as error:
        report(error=type(error).__name__, message=error.message, hint=error.hint)
    except Exception:  # noqa: BLE001  reported as a defect of this package, not as an unusable image
        report(defect=traceback.format_exc())


def _work(report: Callable[..., None]) -> None:
    first = sys.stdin.readline()
    if not first:
        return  # the parent ended before it sent a task
    task = json.loads(first)
    folder = Path(task["folder"])
    known = ReuseIndex(folder, [Path(relative) for relative in task["relatives"]])
    framing = Preprocessing.from_json(task["framing"])
    with open_source(task["kind"], Path(task["path"])) as source:
        source.arrange(framing)
        source.facts = task["facts"]
        begin, still = _heartbeat(report)
        decode.large_image_lock = lambda: locked(folder / TURN, still)
        writer = ShardWriter(folder, source, FileList(folder), framing, known, begin)
        for line in iter(sys.stdin.readline, ""):
            job = Job(**json.loads(line))
            job.deadly = {int(index): reason for index, reason in job.deadly.items()}  # JSON keys are text
            writer.write(job)
            report(finished=job.shard)


def _heartbeat(report: Callable[..., None]) -> tuple[Callable[[Job, int], None], Callable[[], None]]:
    """Return functions that report the current entry: ``begin(job, index)`` and one that repeats the report.

    ``begin`` reports the first entry of a job and then one per heartbeat, or every entry of a careful job.
    The second function shows that a worker that waits for the lock does not hang.
    """
    last, at = 0.0, 0

    def begin(job: Job, index: int) -> None:
        nonlocal last, at
        now, at = time.monotonic(), index
        if job.careful or index == job.first or now - last > HEARTBEAT_S:
            last = now
            report(begin=index)

    return begin, lambda: report(begin=at)


def _reporter() -> Callable[..., None]:
    """Return a function that sends the parent one object; keep the pipe from C libraries that print."""
    pipe = os.dup(1)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)

    def report(**message: Any) -> None:
        os.write(pipe, json.dumps(message).encode() + b"\n")

    return report


if __name__ == "__main__":
    main()
