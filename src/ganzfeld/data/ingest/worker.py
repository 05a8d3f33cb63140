"""A process that decodes shards: jobs on standard input, reports on standard output, one JSON object a line.

An image that crashes or hangs a decoder takes this process with it and nothing else. It is started as a
program and not forked, since forking beside threads deadlocks; nor spawned by ``multiprocessing``, which
would run the user's script a second time.
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
"""The file of a set that is locked by the worker that decodes a very large image."""


def main() -> None:
    """Does the jobs of standard input until it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to the whole group; the parent ends this one
    report = _reporter()
    try:
        _work(report)
    except GanzfeldError as error:
        report(error=type(error).__name__, message=error.message, hint=error.hint)
    except Exception:  # noqa: BLE001  a defect of this package is told as one, not taken for a bad image
        report(defect=traceback.format_exc())


def _work(report: Callable[..., None]) -> None:
    first = sys.stdin.readline()
    if not first:
        return  # the parent ended before it said anything
    task = json.loads(first)
    folder = Path(task["folder"])
    known = ReuseIndex(folder, [Path(relative) for relative in task["relatives"]])
    framing = Preprocessing.from_json(task["framing"])
    with open_source(task["kind"], Path(task["path"])) as source:
        source.facts = task["facts"]
        begin, still = _heartbeat(report)
        decode.large_image_lock = lambda: locked(folder / TURN, still)
        writer = ShardWriter(folder, source, FileList(folder), framing, known, begin)
        for line in iter(sys.stdin.readline, ""):
            job = Job(**json.loads(line))
            job.deadly = {int(index): reason for index, reason in job.deadly.items()}  # JSON made them text
            writer.write(job)
            report(finished=job.shard)


def _heartbeat(report: Callable[..., None]) -> tuple[Callable[[Job, int], None], Callable[[], None]]:
    """Reports the first entry of a job, one now and then, or all of them if the job asks for care.

    The second function reports the present one again, since waiting for a turn is not hanging.
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
    """Tells the parent one object; keeps the pipe to it from C libraries that print."""
    pipe = os.dup(1)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)

    def report(**message: Any) -> None:
        os.write(pipe, json.dumps(message).encode() + b"\n")

    return report


if __name__ == "__main__":
    main()
