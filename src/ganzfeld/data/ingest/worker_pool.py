"""Worker processes at the shards of one set: hands out, listens, and replaces those that die or hang."""

import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ganzfeld import errors
from ganzfeld.data.ingest.shard_writer import Job
from ganzfeld.errors import ResourceError
from ganzfeld.system import worded

PATIENCE_S = 120.0
"""How long one image may take before its worker is replaced and the image given up."""


class WorkerPool:
    """Runs jobs on ``num_workers`` processes; ``progress`` hears how many entries are finished."""

    def __init__(self, task: dict[str, Any], num_workers: int, progress: Callable[[int], None]) -> None:
        self.task, self.num_workers, self.progress = task, num_workers, progress
        self._heard: queue.Queue[tuple[_Worker, dict[str, Any] | None]] = queue.Queue()
        self._workers: list[_Worker] = []
        self._finished = 0

    def run(self, jobs: list[Job]) -> None:
        """Returns when all are done; raises what a worker raised, ``ResourceError`` if none will start."""
        waiting = deque(jobs)
        try:
            for _ in range(min(self.num_workers, len(jobs))):
                self._start(waiting)
            while waiting or any(worker.job for worker in self._workers):
                self._listen(waiting)
        finally:
            for worker in self._workers:
                worker.end()

    def _start(self, waiting: deque[Job]) -> None:
        worker = _Worker(self.task, self._heard)
        self._workers.append(worker)
        worker.take(waiting)

    def _listen(self, waiting: deque[Job]) -> None:
        try:
            worker, message = self._heard.get(timeout=0.2)
        except queue.Empty:
            self._replace_hung()
            return
        if worker not in self._workers:
            return  # the last words of one that was replaced
        if message is None:
            self._replace(worker, waiting)
        elif "begin" in message:
            worker.at, worker.heard_at, worker.spoke = message["begin"], time.monotonic(), True
        elif "finished" in message:
            assert worker.job is not None
            self._finished += worker.job.last - worker.job.first
            worker.take(waiting)
        else:
            raise _told(message)
        self.progress(self._finished + sum(worker.num_done for worker in self._workers))

    def _replace_hung(self) -> None:
        for worker in self._workers:
            if worker.job and worker.spoke and time.monotonic() - worker.heard_at > PATIENCE_S:
                worker.gave_up = True
                worker.process.kill()  # its end of output is heard next

    def _replace(self, worker: "_Worker", waiting: deque[Job]) -> None:
        """A worker ended. Its shard goes to a new one, which reports every entry, so that the next end tells.

        That entry is then given up. A worker that was ended from outside, once, costs no image.
        """
        self._workers.remove(worker)
        code, job = worker.end(), worker.job
        if job is None:
            return
        if worker.at is None and (job.careful or not worker.spoke):
            raise ResourceError(f"a process for decoding could not be started (it ended with {code})")
        if job.careful and worker.at is not None:
            took = f"decoding it takes more than {PATIENCE_S:.0f} s"
            job.deadly[worker.at] = (
                took if worker.gave_up else f"decoding it crashes the decoder (exit {code})"
            )
        job.careful = True
        waiting.appendleft(job)
        self._start(waiting)


class _Worker:
    """One process, its job, and the entry of the job that it was last heard to begin."""

    def __init__(self, task: dict[str, Any], heard: queue.Queue) -> None:
        self.job: Job | None = None
        self.at: int | None = None
        self.heard_at = time.monotonic()
        self.gave_up = False
        self.spoke = False
        try:
            self.process = subprocess.Popen(
                # -P: the folder the user stands in may hold a random.py of theirs.
                [sys.executable, "-P", "-m", "ganzfeld.data.ingest.worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=_environment(),
            )
        except OSError as problem:
            told = worded(problem, sys.executable, "started")
            raise ResourceError(
                f"a process for decoding could not be started: {told.message}", told.hint
            ) from problem
        self._tell(task)
        threading.Thread(target=self._hear, args=(heard,), daemon=True).start()

    @property
    def num_done(self) -> int:
        """How many entries of the present job are behind it."""
        return self.at - self.job.first if self.job and self.at is not None else 0

    def take(self, waiting: deque[Job]) -> None:
        """Begins the next job, if there is one."""
        self.job = waiting.popleft() if waiting else None
        if self.job:
            self.at, self.heard_at = None, time.monotonic()
            self._tell(asdict(self.job))

    def end(self) -> int:
        """Ends the process and returns its exit code."""
        self.process.kill()
        code = self.process.wait()
        assert self.process.stdin is not None
        with contextlib.suppress(OSError):  # it died with words to it in the pipe
            self.process.stdin.close()
        return code

    def _tell(self, message: dict[str, Any]) -> None:
        assert self.process.stdin is not None
        with contextlib.suppress(OSError):  # it died; its end of output is heard next
            self.process.stdin.write(json.dumps(message).encode() + b"\n")
            self.process.stdin.flush()

    def _hear(self, heard: queue.Queue) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as lines:
            for line in lines:
                heard.put((self, json.loads(line)))
        heard.put((self, None))


def _told(message: dict[str, Any]) -> Exception:
    """What a worker reported, as the exception it was."""
    if "error" in message:
        return getattr(errors, message["error"])(message["message"], message["hint"])
    return RuntimeError(message["defect"])


def _environment() -> dict[str, str]:
    """Ours, such that the worker finds this very package, and with one thread: it is not alone."""
    here = str(Path(__file__).parents[2])
    beyond = os.environ.get("PYTHONPATH")
    return {
        **os.environ,
        "PYTHONPATH": f"{here}{os.pathsep}{beyond}" if beyond else here,
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }
