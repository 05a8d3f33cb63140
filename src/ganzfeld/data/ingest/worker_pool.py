"""Run worker processes on the shards of one dataset: assign jobs, and replace workers that die or hang."""

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
"""How long one image may take, in seconds, before its worker is replaced and the image is given up."""


class WorkerPool:
    """Runs jobs on ``num_workers`` processes; calls ``progress`` with the number of finished entries.

    An image that takes longer than ``patience_s`` seconds is given up.
    """

    def __init__(
        self,
        task: dict[str, Any],
        num_workers: int,
        progress: Callable[[int], None],
        patience_s: float = PATIENCE_S,
    ) -> None:
        self.task, self.num_workers, self.progress = task, num_workers, progress
        self.patience_s = patience_s
        self._messages: queue.Queue[tuple[_Worker, dict[str, Any] | None]] = queue.Queue()
        self._workers: list[_Worker] = []
        self._finished = 0

    def run(self, jobs: list[Job]) -> None:
        """Run all jobs; raise what a worker raised, or ``ResourceError`` if no worker can be started."""
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
        worker = _Worker(self.task, self._messages)
        self._workers.append(worker)
        worker.take(waiting)

    def _listen(self, waiting: deque[Job]) -> None:
        try:
            worker, message = self._messages.get(timeout=0.2)
        except queue.Empty:
            self._replace_hung()
            return
        if worker not in self._workers:
            return  # the last message of a worker that was replaced
        if message is None:
            self._replace(worker, waiting)
        elif "begin" in message:
            worker.at, worker.last_message_at, worker.has_reported = message["begin"], time.monotonic(), True
        elif "finished" in message:
            assert worker.job is not None
            self._finished += worker.job.last - worker.job.first
            worker.take(waiting)
        else:
            raise _as_exception(message)
        self.progress(self._finished + sum(worker.num_done for worker in self._workers))

    def _replace_hung(self) -> None:
        for worker in self._workers:
            silence_s = time.monotonic() - worker.last_message_at
            if worker.job and worker.has_reported and silence_s > self.patience_s:
                worker.timed_out = True
                worker.process.kill()  # the end of its output is the next message

    def _replace(self, worker: "_Worker", waiting: deque[Job]) -> None:
        """Replace a worker that ended, and let the new one report every entry of its shard.

        If that one ends too, the entry it reported last is given up. A worker that something else ended once
        therefore costs no image.
        """
        self._workers.remove(worker)
        code, job = worker.end(), worker.job
        if job is None:
            return
        if worker.at is None and (job.careful or not worker.has_reported):
            raise ResourceError(f"a process for decoding cannot be started (it ended with exit code {code})")
        if job.careful and worker.at is not None:
            too_slow, crash = f"more than {self.patience_s:.0f} s", f"crashes the decoder (exit {code})"
            reason = f"decoding it takes {too_slow}" if worker.timed_out else f"decoding it {crash}"
            job.deadly[worker.at] = reason
        job.careful = True
        waiting.appendleft(job)
        self._start(waiting)


class _Worker:
    """One process, its job, and the entry of the job that it last reported to begin."""

    def __init__(self, task: dict[str, Any], messages: queue.Queue) -> None:
        self.job: Job | None = None
        self.at: int | None = None
        self.last_message_at = time.monotonic()
        self.timed_out = False
        self.has_reported = False
        try:
            self.process = subprocess.Popen(
                # -P: the current folder may hold a random.py of the user's.
                [sys.executable, "-P", "-m", "ganzfeld.data.ingest.worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=_environment(),
            )
        except OSError as problem:
            error = worded(problem, sys.executable, "started")
            raise ResourceError(
                f"a process for decoding cannot be started: {error.message}", error.hint
            ) from problem
        self._send(task)
        threading.Thread(target=self._receive, args=(messages,), daemon=True).start()

    @property
    def num_done(self) -> int:
        """The number of finished entries of the current job."""
        return self.at - self.job.first if self.job and self.at is not None else 0

    def take(self, waiting: deque[Job]) -> None:
        """Begin the next job, if there is one."""
        self.job = waiting.popleft() if waiting else None
        if self.job:
            self.at, self.last_message_at = None, time.monotonic()
            self._send(asdict(self.job))

    def end(self) -> int:
        """End the process and return its exit code."""
        self.process.kill()
        code = self.process.wait()
        assert self.process.stdin is not None
        with contextlib.suppress(OSError):  # it died with unread messages in the pipe
            self.process.stdin.close()
        return code

    def _send(self, message: dict[str, Any]) -> None:
        assert self.process.stdin is not None
        with contextlib.suppress(OSError):  # it died; the end of its output is the next message
            self.process.stdin.write(json.dumps(message).encode() + b"\n")
            self.process.stdin.flush()

    def _receive(self, messages: queue.Queue) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as lines:
            for line in lines:
                messages.put((self, json.loads(line)))
        messages.put((self, None))


def _as_exception(message: dict[str, Any]) -> Exception:
    """Return the exception that a worker reported."""
    if "error" in message:
        return getattr(errors, message["error"])(message["message"], message["hint"])
    return RuntimeError(message["defect"])


def _environment() -> dict[str, str]:
    """Return the environment of a worker: it imports this very package and uses one thread."""
    package_root = str(Path(__file__).parents[2])
    path = os.environ.get("PYTHONPATH")
    return {
        **os.environ,
        "PYTHONPATH": f"{package_root}{os.pathsep}{path}" if path else package_root,
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }
