"""The runs of ``--thorough``: trained before anything is measured, two processes at a time, resumable.

Every finished run is in the cache, where ``ganzfeld.lab.live`` looks for it. So an interrupted command
continues with the runs that are missing, and experiments share the runs of the same recipe and seed.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from ganzfeld.compute.engine import choose_engine, computing_with
from ganzfeld.errors import GanzfeldError, ResourceError, TrainingFailed
from ganzfeld.lab.experiments import experiments
from ganzfeld.lab.language import Phrase, say
from ganzfeld.lab.live import Live, Training, changed, is_stored, live
from ganzfeld.lab.repeated import NUM_RUNS
from ganzfeld.options import PreparationOptions
from ganzfeld.recipes import Recipe
from ganzfeld.system import worded
from ganzfeld.training.build import start

JOBS = 2
"""Number of processes at a time, one thread each."""

PROBE_STEPS = 12
"""Number of steps that are timed to say how long it will take."""

Tell = Callable[[Phrase], object]
"""Called with what is to be said."""


def runs_to_train(networks: Live, name: str, settings: Any) -> list[Training]:
    """List the short runs that an experiment measures with ``--thorough`` and that the cache does not hold.

    They are ``NUM_RUNS`` of the base and of each of ``variants(settings)`` in the experiment's ``live.py``,
    which lists settings of the recipe. None for a run of the user's.
    """
    if networks.of_user or not networks.thorough:
        return []
    variants = vars(experiments.load(name, "live")).get("variants", lambda settings: ())
    base = networks.training
    wanted: list[Training] = []
    for change in ({}, *variants(settings)):
        for offset in range(NUM_RUNS):
            training = changed(base, change, base.seed + offset)
            if training not in wanted and not is_stored(training, networks.dataset):
                wanted.append(training)
    return wanted


def own_images(networks: Live, name: str, settings: Any) -> int:
    """Return the number of images on which an experiment trains networks of its own with ``--thorough``, in
    its ``trained``, one run after the other; 0 for a run of the user's, of which no time is said.
    """
    if networks.of_user or not networks.thorough:
        return 0
    count = vars(experiments.load(name, "live")).get("images_trained")
    return 0 if count is None else count(networks, settings)


def train_missing(networks: Live, trainings: Sequence[Training], tell: Tell, own: int = 0) -> None:
    """Train short runs, ``JOBS`` at a time; ``tell`` is called with the expected time first, and after each.

    ``own`` is the number of images on which experiments train by themselves afterwards; the expected time
    includes them. Raises ``TrainingFailed`` at the end if some of them failed. If it is interrupted,
    finished runs remain.
    """
    of_own = expected_seconds(networks, [replace(networks.training, images=own)] * JOBS) if own else 0.0
    if not trainings:
        if own:
            tell(
                say(
                    "Networks to train on {images:,} images, one run after the other: {time}.",
                    images=own,
                    time=in_words(of_own),
                )
            )
        return
    seconds = expected_seconds(networks, trainings) + of_own
    tell(
        say(
            "{num} runs to train, {jobs} at a time: {time}. If you interrupt this, it continues later with"
            " the runs that are missing.",
            num=len(trainings),
            jobs=JOBS,
            time=in_words(seconds),
        )
    )
    waiting, failures = list(trainings), []
    running: list[subprocess.Popen[str]] = []
    done, begun = 0, time.monotonic()
    try:
        while waiting or running:
            while waiting and len(running) < JOBS:
                running.append(_started(waiting.pop(0)))
            for process in [process for process in running if process.poll() is not None]:
                running.remove(process)
                done += 1
                errors = process.communicate()[1].strip().splitlines()
                if process.returncode:
                    failures.append(errors[-1] if errors else "a process ended without a message")
                left = len(trainings) - done
                if left:
                    time_left = in_words((time.monotonic() - begun) / done * left)
                    tell(say("{done} of {num}; {time} left", done=done, num=len(trainings), time=time_left))
            time.sleep(0.05)
    finally:
        for process in running:
            process.terminate()
        for process in running:
            process.communicate()
    if failures:
        raise TrainingFailed(
            f"{len(failures)} of {len(trainings)} runs of the lab failed: {failures[0]}",
            "Run the command again: it makes only the runs that are missing.",
        )


def expected_seconds(networks: Live, trainings: Iterable[Training]) -> float:
    """Estimate how long these runs take, ``JOBS`` at a time, from a few steps of each recipe, timed now."""
    step_s: dict[str, float] = {}
    total = 0.0
    for training in trainings:
        key = training.recipe.model_dump_json()
        if key not in step_s:
            engine = choose_engine("cpu", training.precision)
            with computing_with(1):
                trainer = start(training.recipe, networks.dataset, engine, training.seed)
                trainer.advance()
                begun = time.perf_counter()
                for _ in range(PROBE_STEPS):
                    trainer.advance()
                step_s[key] = (time.perf_counter() - begun) / PROBE_STEPS
        total += step_s[key] * training.images / training.recipe.batch
    return total / JOBS


def in_words(seconds: float) -> Phrase:
    """Say a time in words, to the precision of an estimate."""
    if seconds < 90:
        return say("about {num:.0f} seconds", num=max(5, 5 * round(seconds / 5)))
    if seconds < 5400:
        return say("about {num:.0f} minutes", num=seconds / 60)
    return say("about {num:.1f} hours", num=seconds / 3600)


def _started(training: Training) -> "subprocess.Popen[str]":
    """Start the process that trains one run. Raises ``ResourceError`` if the system refuses."""
    threads = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    try:
        process = subprocess.Popen(
            # -P: the current folder may hold a random.py of the user's.
            [sys.executable, "-P", "-m", "ganzfeld.lab.thorough"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | threads,
        )
    except OSError as problem:
        error = worded(problem, sys.executable, "started")
        raise ResourceError(
            f"a process for a run cannot be started: {error.message}", error.hint
        ) from problem
    assert process.stdin
    process.stdin.write(json.dumps(as_json(training)))
    process.stdin.close()
    process.stdin = None  # or communicate would flush it
    return process


def as_json(training: Training) -> dict[str, Any]:
    """Return a short run as the process that trains it reads it."""
    recipe = training.recipe.model_dump(mode="json")
    others = {key: getattr(training, key) for key in ("data", "images", "seed", "precision")}
    return others | {"recipe": recipe, "preparation": asdict(training.preparation)}


def from_json(fields: Mapping[str, Any]) -> Training:
    """Return the short run of ``as_json``."""
    others = {key: value for key, value in fields.items() if key not in ("recipe", "preparation")}
    recipe, preparation = fields["recipe"], fields["preparation"]
    return Training(Recipe.model_validate(recipe), **others, preparation=PreparationOptions(**preparation))


def main() -> int:
    """Train the run that stands on stdin as JSON, into the cache."""
    try:
        with computing_with(1):
            live(from_json(json.load(sys.stdin)), progress=False)
    except GanzfeldError as error:
        print(error.message, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
