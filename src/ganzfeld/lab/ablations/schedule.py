"""All runs of the table: each in a process of its own with one thread, several at a time, resumable."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ganzfeld.compute.engine import computing_with
from ganzfeld.errors import ResourceError, TrainingFailed
from ganzfeld.lab.ablations.cells import BASE, BY_KEY, FIRST, Cell, Conditions
from ganzfeld.lab.ablations.results import (
    Result,
    feature_space,
    file_name,
    read,
    read_all,
    trainer_of,
)
from ganzfeld.metrics.extraction import SLICE
from ganzfeld.printable import counted, duration
from ganzfeld.system import worded

PROBE_STEPS = 15
WAIT_S = 0.1


class Task(NamedTuple):
    """A run to be made."""

    cell: Cell
    seed: int


def missing(results: Iterable[Result], cells: Sequence[Cell], seeds: int) -> list[Task]:
    """Return the runs without a result, in the order in which they are to be made: all seeds of the cells of
    ``FIRST``, then all of the others, each time the first seed of all cells first.
    """
    finished = {(result.cell, result.seed) for result in results}
    parts = ([cell for cell in cells if (cell.key in FIRST) is first] for first in (True, False))
    tasks = (Task(cell, seed) for part in parts for seed in range(seeds) for cell in sorted(part, key=_rank))
    return [task for task in tasks if (task.cell.key, task.seed) not in finished]


def _rank(cell: Cell) -> int:
    """Return the place of a cell in ``FIRST``; the others follow, and keep their order."""
    return FIRST.index(cell.key) if cell.key in FIRST else len(FIRST)


def perform(
    folder: Path, tasks: Sequence[Task], conditions: Conditions, jobs: int, say: Callable[[str], object]
) -> None:
    """Make the runs, ``jobs`` at a time, each result in a file of ``folder`` as soon as it is there.

    ``say`` is called with the expected time first and after every run. If this is interrupted, the processes
    end, and finished runs remain. Raises ``TrainingFailed`` at the end if runs failed.
    """
    if not tasks:
        return
    clock = Clock(read_all(folder, conditions), conditions)
    say(
        f"{counted(len(tasks), 'run')} of {conditions.images:,} images, {jobs} at a time,"
        f" one thread each: about {duration(clock.seconds(tasks, jobs))}"
    )
    waiting, failed, done = list(tasks), [], 0
    running: list[tuple[Task, subprocess.Popen[bytes]]] = []
    try:
        while waiting or running:
            while waiting and len(running) < jobs:
                task = waiting.pop(0)
                running.append((task, _start(task, conditions, folder)))
            for task, process in list(running):
                if process.poll() is None:
                    continue
                errors = (process.communicate()[1] or b"").decode(errors="replace").strip()
                running.remove((task, process))
                result = read(folder, *task, conditions) if process.returncode == 0 else None
                if result is None:
                    failed.append(task)
                    say(f"{_name(task)} failed: {errors.splitlines()[-1] if errors else 'without a message'}")
                    continue
                done += 1
                clock.add(result)
                left = [*waiting, *(task for task, _ in running)]
                say(_line(result, done, len(tasks), clock.seconds(left, jobs)))
            time.sleep(WAIT_S)
    finally:
        for _, process in running:
            process.terminate()
        for _, process in running:
            process.communicate()
    if failed:
        names = ", ".join(_name(task) for task in failed[:5])
        raise TrainingFailed(
            f"{len(failed)} of {len(tasks)} runs failed: {names}",
            "Run the command again: it makes only the runs that are missing.",
        )


class Clock:
    """Tells how long runs take, from those that are finished, or from some steps timed now.

    A run of a cell takes as long as its finished runs did on average; without one, as long as those at its
    batch did; without one of these, as long as some steps of the base with this batch say.
    """

    def __init__(self, results: Sequence[Result], conditions: Conditions) -> None:
        self._results, self._conditions = list(results), conditions
        self._timed: dict[int, float] = {}

    def add(self, result: Result) -> None:
        """Learn from a finished run."""
        self._results.append(result)

    def seconds(self, tasks: Sequence[Task], jobs: int) -> float:
        """Return how many seconds the runs take, ``jobs`` at a time."""
        lengths = [self._of(task.cell) for task in tasks]
        return max(sum(lengths) / jobs, max(lengths, default=0.0))

    def _of(self, cell: Cell) -> float:
        same = [result.seconds for result in self._results if result.cell == cell.key]
        batch = cell.recipe.batch
        alike = same or [
            result.seconds for result in self._results if BY_KEY[result.cell].recipe.batch == batch
        ]
        if alike:
            return sum(alike) / len(alike)
        if batch not in self._timed:
            self._timed[batch] = timed_seconds(batch, self._conditions)
        return self._timed[batch]


def timed_seconds(batch: int, conditions: Conditions) -> float:
    """Estimate the seconds of a run of the base with another batch, from some steps timed now."""
    cell = replace(BY_KEY[BASE], settings={"batch": batch})
    trainer, chosen_space = trainer_of(cell, 0, conditions.data), feature_space()
    pixels = trainer.dataset.batch(np.arange(SLICE))
    with computing_with(1):
        trainer.advance()
        begun = time.perf_counter()
        for _ in range(PROBE_STEPS):
            trainer.advance()
        step_s = (time.perf_counter() - begun) / PROBE_STEPS
        chosen_space.features(pixels[:1])  # the first call builds the network
        begun = time.perf_counter()
        chosen_space.features(pixels)
        image_s = (time.perf_counter() - begun) / SLICE
    return step_s * conditions.images / batch + conditions.num_measured * image_s


def _start(task: Task, conditions: Conditions, folder: Path) -> subprocess.Popen[bytes]:
    """Start the process of a run. Raises ``ResourceError`` if the system refuses."""
    threads = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    arguments = [task.cell.key, str(task.seed), str(conditions.images), str(folder), str(os.getpid())]
    arguments += [] if conditions.data is None else [conditions.data]
    try:
        return subprocess.Popen(
            # -P: the current folder may hold a random.py of the user's.
            [sys.executable, "-P", "-m", "ganzfeld.lab.ablations.results", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=os.environ | threads,
        )
    except OSError as problem:
        error = worded(problem, sys.executable, "started")
        raise ResourceError(
            f"a process for a run cannot be started: {error.message}", error.hint
        ) from problem


def _name(task: Task) -> str:
    return file_name(task.cell, task.seed, 0).replace("-0-", " ").removesuffix(".json")


def _line(result: Result, done: int, total: int, left_s: float) -> str:
    stopped = f", not finite from {result.stopped_at:,} images on" if result.stopped_at else ""
    return (
        f"{done} of {total}: {result.cell}, seed {result.seed}: kernel distance"
        f" {result.kernel_distance:.3f}{stopped} ({result.seconds:.0f} s); about {duration(left_s)} left"
    )
