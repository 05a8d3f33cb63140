"""All runs of the table: each in a process of its own with one thread, several at a time, resumable."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ganzfeld.errors import ResourceError, TrainingFailed
from ganzfeld.lab.ablations.cells import BY_KEY, Cell, Conditions
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


def missing(folder: Path, cells: Sequence[Cell], seeds: int, conditions: Conditions) -> list[Task]:
    """Return the runs that a folder has no result of, the first seed of all cells first."""
    tasks = (Task(cell, seed) for seed in range(seeds) for cell in cells)
    return [task for task in tasks if read(folder, *task, conditions) is None]


def perform(
    folder: Path, tasks: Sequence[Task], conditions: Conditions, jobs: int, say: Callable[[str], object]
) -> None:
    """Make the runs, ``jobs`` at a time, each result in a file of ``folder`` as soon as it is there.

    ``say`` is called with the expected time first and after every run. If this is interrupted, the processes
    end, and finished runs remain. Raises ``TrainingFailed`` at the end if runs failed.
    """
    if not tasks:
        return
    seconds = expected_seconds(folder, conditions)
    say(
        f"{counted(len(tasks), 'run')} of {conditions.images:,} images, {jobs} at a time,"
        f" one thread each: about {duration(seconds * -(-len(tasks) // jobs))}"
    )
    waiting, failed = list(tasks), []
    running: list[tuple[Task, subprocess.Popen[bytes]]] = []
    lengths: list[float] = []
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
                lengths.append(result.seconds)
                rounds = -(-(len(waiting) + len(running)) // jobs)
                say(_line(result, len(lengths), len(tasks), rounds * sum(lengths) / len(lengths)))
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


def expected_seconds(folder: Path, conditions: Conditions) -> float:
    """Estimate the seconds of a run: those of earlier results, or from some steps of the base, timed now."""
    earlier = [result.seconds for result in read_all(folder, conditions)]
    if earlier:
        return sum(earlier) / len(earlier)
    trainer, chosen_space = trainer_of(BY_KEY["base"], 0, conditions.data), feature_space()
    pixels = trainer.dataset.batch(np.arange(SLICE))
    trainer.advance()
    begun = time.perf_counter()
    for _ in range(PROBE_STEPS):
        trainer.advance()
    step_s = (time.perf_counter() - begun) / PROBE_STEPS
    chosen_space.features(pixels[:1])  # the first call builds the network
    begun = time.perf_counter()
    chosen_space.features(pixels)
    image_s = (time.perf_counter() - begun) / SLICE
    return step_s * conditions.images / trainer.recipe.batch + conditions.num_measured * image_s


def _start(task: Task, conditions: Conditions, folder: Path) -> subprocess.Popen[bytes]:
    """Start the process of a run. Raises ``ResourceError`` if the system refuses."""
    threads = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    arguments = [task.cell.key, str(task.seed), str(conditions.images), str(folder)]
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
