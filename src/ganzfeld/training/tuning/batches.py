"""Fit ``modern`` to the budget and the speed of this machine, by the rule in ``recipes/scaling.py``.

The speeds at several batches are measured once and cached, as routes are, until a run shows other ones.
"""

import contextlib
import math
import statistics
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ganzfeld.compute.fast_path import LARGEST_FILE, FastPath
from ganzfeld.data.cache.store import cache_root
from ganzfeld.durable import make_folder, write_json
from ganzfeld.errors import ResourceError
from ganzfeld.printable import counted
from ganzfeld.progress import CountCallback
from ganzfeld.recipes import Recipe, resolve
from ganzfeld.recipes.scaling import (
    FITTED,
    LARGEST_FITTED,
    LEAST_BATCH,
    MOST_BATCH,
    best_batch,
    fitted_settings,
    is_past_best,
)
from ganzfeld.regular import read_regular
from ganzfeld.runs.budget import Budget
from ganzfeld.strict_json import strict_json
from ganzfeld.system import ran_out_of_memory
from ganzfeld.training.trainer import Trainer
from ganzfeld.training.tuning.routes import cache_key, keeping_state, period_of, time_steps

LEAST_MINUTES = 2.0
"""Shorter runs are not fitted: measuring would take a good part of their time."""
SHARE = 0.03
"""The share of the minutes of a run that measuring may take before it; a slow machine does without."""
PROBES = 2
"""The number of usual steps that show how long measuring would take."""
ROUNDS = 3
STEPS = 8
"""The least number of steps in a round."""
LONG_ROUND_S = 0.2
"""The seconds that a round of one period must take to be long enough."""
UNLIKE = 1.5
"""A run that is faster or slower than measured before, by more than this factor, has them measured again."""
LEAST_S = 60.0
"""Shorter runs do not say how fast steps are: the first ones, which are recorded or traced, take longer."""


class OutOfTimeError(Exception):
    """Measuring would take more time than is left for it."""


class TimeLeft:
    """The seconds that measuring may still take."""

    def __init__(self, seconds: float = math.inf) -> None:
        self._seconds, self._spent = seconds, 0.0

    def require(self, seconds: float) -> None:
        """Raise ``OutOfTimeError`` unless these ``seconds`` are left."""
        if seconds > self._seconds:
            raise OutOfTimeError

    def limit(self, seconds: float) -> None:
        """Limit all of measuring, with what it has already taken, to these ``seconds``."""
        self._seconds = min(self._seconds, seconds - self._spent)

    def spend(self, trainer: Trainer, route: FastPath, num_steps: int, step_s: float) -> float:
        """Make steps on a route and return their seconds.

        Raise ``OutOfTimeError`` instead if too few are left for ``num_steps`` steps of ``step_s`` seconds.
        """
        self.require(num_steps * step_s)
        seconds = time_steps(trainer, route, num_steps)
        self._seconds -= seconds
        self._spent += seconds
        return seconds


def fitted_recipe(
    trainer: Trainer, budget: Budget, overrides: Mapping[str, Any], progress: CountCallback
) -> Recipe:
    """Return the recipe of a trainer, fitted to a budget of minutes; ``progress`` is called while measuring.

    ``overrides`` are settings of the recipe that stay as they are, whatever fits. The trainer keeps its
    state. Without minutes, or with fewer than two, the recipe stays as it is. It also does, with a note, if
    measuring the smallest batch would take more than ``SHARE`` of the minutes. Larger batches are tried until
    two in a row buy no more, since speeds need not grow evenly, or until that share is spent.
    """
    if budget.minutes is None or budget.minutes < LEAST_MINUTES or trainer.ranks.world_size > 1:
        return trainer.recipe
    minutes, most_images = budget.minutes, budget.images or math.inf
    file = _file_of(cache_key(trainer))
    known = _cached_speeds(file)
    speeds, images = dict(known), dict[int, float]()
    time_left, ran_out = TimeLeft(SHARE * 60 * minutes), False
    batch = LEAST_BATCH
    while batch <= min(MOST_BATCH, trainer.dataset.num_pictures):
        if batch not in speeds:
            progress(0, 1, f"measuring batches of {batch}, once for these networks")
            try:
                # A step of twice as many images takes at most twice as long.
                time_left.require(PROBES * batch / speeds.get(batch // 2, math.inf))
                speed = _speed_if_it_fits(trainer, batch, time_left)
            except OutOfTimeError:
                ran_out = True
                break
            if speed is None:
                break
            speeds[batch] = speed
        time_left.limit(
            SHARE * most_images / speeds[batch]
        )  # a run that images end is shorter than its minutes
        images[batch] = min(60 * minutes * speeds[batch], most_images)
        if is_past_best(images):
            break
        batch *= 2
    if speeds != known:
        with contextlib.suppress(ResourceError):
            make_folder(file.parent)
            write_json(file, {str(batch): speed for batch, speed in speeds.items()})
    if not images:
        return _with_note(trainer.recipe, _too_slow_note(minutes, trainer)) if ran_out else trainer.recipe
    chosen = best_batch(images)
    steps_of_d = trainer.recipe.discriminator_steps
    settings = fitted_settings(chosen, images[chosen], steps_of_d)
    fitted = resolve(trainer.recipe, {**settings, **overrides})
    num_averaged = round(steps_of_d / (1 - fitted.ema))
    note = fitting_note(minutes, speeds[chosen], chosen, num_averaged, batch if ran_out else None)
    return _with_note(fitted, note)


def _with_note(recipe: Recipe, note: str) -> Recipe:
    return recipe.model_copy(update={"notes": (*recipe.notes, note)})


def _too_slow_note(minutes: float, trainer: Trainer) -> str:
    """Return that the recipe is not fitted, and why."""
    return (
        f"Not fitted to {minutes:g} minutes, so with the recipe's own batch of {trainer.recipe.batch}: "
        f"measuring speeds would take more than {SHARE:.0%} of them, since the machine is slow or busy with "
        "other programs (docs/scaling_rule.md)."
    )


def fitting_note(
    minutes: float, images_per_second: float, batch: int, num_averaged: int, unmeasured: int | None = None
) -> str:
    """Return what was chosen and why, in a sentence.

    ``num_averaged`` is the number of steps in the average, ``unmeasured`` the batch from which on there was
    no time to measure.
    """
    beyond = f", beyond the batches it was fitted to (up to {LARGEST_FITTED})"
    larger = f"; measuring batches from {unmeasured} on would take more than {SHARE:.0%} of the time"
    return (
        f"{FITTED}{minutes:g} minutes at {images_per_second:,.0f} images/s: batch {batch}"
        f"{beyond if batch > LARGEST_FITTED else ''}, an average over {counted(num_averaged, 'step')}"
        f"{larger if unmeasured else ''} (docs/scaling_rule.md)."
    )


def forget_other_speeds(trainer: Trainer, seconds: float) -> None:
    """Remove the cached speeds if a run showed another one, so that the next run measures them again.

    Then other programs ran at the same time, either when they were measured or during this run. ``trainer``
    made all its steps in ``seconds``. Nothing is removed after a short run, which shows nothing, or after one
    whose recipe was not fitted.
    """
    if seconds < LEAST_S or not trainer.speeds_key:
        return
    file = _file_of(trainer.speeds_key)
    if not (measured := _cached_speeds(file).get(trainer.recipe.batch)):
        return
    if not 1 / UNLIKE <= trainer.images_seen / seconds / measured <= UNLIKE:
        with contextlib.suppress(OSError):
            file.unlink()


def _file_of(key: str) -> Path:
    """Return the file of cached speeds; the key is that of the trainer before its recipe is fitted."""
    return cache_root() / "speeds" / f"{key}.json"


def _cached_speeds(file: Path) -> dict[int, float]:
    """Return the images per second by batch that were measured before; none from a damaged file."""
    with contextlib.suppress(OSError, ValueError, TypeError, AttributeError):
        content = strict_json(read_regular(file, LARGEST_FILE))
        speeds = {int(batch): float(speed) for batch, speed in content.items()}
        if all(0 < speed < math.inf for speed in speeds.values()):
            return speeds
    return {}


def _speed_if_it_fits(trainer: Trainer, batch: int, time_left: TimeLeft) -> float | None:
    """Return the images per second with a batch; None if memory does not suffice for it."""
    try:
        return images_per_s(trainer, batch, time_left)
    except (MemoryError, RuntimeError) as error:
        if not ran_out_of_memory(error):
            raise
        return None


def images_per_s(trainer: Trainer, batch: int, time_left: TimeLeft | None = None) -> float:
    """Measure the speed of steps with a batch, by the route of the trainer, which keeps its state.

    Larger batches than the trainer's keep more threads busy, so that with them the route's threads are tried
    beside torch's number of them. Raises ``OutOfTimeError`` if more time would be needed than is left.
    """
    time_left = time_left or TimeLeft()
    timed = replace(
        trainer,
        recipe=resolve(trainer.recipe, {"batch": batch}),
        graphed_update=None,
        traces_from=0,
        _traced_updates={},
    )
    with keeping_state(trainer):
        routes = [trainer.route]
        if batch > trainer.recipe.batch and (trainer.route.threads, trainer.route.lanes) != (None, 1):
            routes.append(trainer.route.model_copy(update={"threads": None, "lanes": 1}))
        seconds_per_step = [_seconds_per_step(timed, route, time_left) for route in routes]
    return round(batch / min(seconds_per_step), 1)


def _seconds_per_step(trainer: Trainer, route: FastPath, time_left: TimeLeft) -> float:
    """Return the median seconds of a step on a route, over whole periods, after its first steps.

    All of it is called off as soon as usual steps, which are neither traced nor recorded, show that the time
    left is too short.
    """
    usual = route.model_copy(update={"traced": False, "recorded": False})
    step_s = 0.0  # not known yet
    for _ in range(PROBES):  # the first one takes longer
        step_s = time_left.spend(trainer, usual, 1, step_s)
    period = period_of(trainer)
    num_steps = period if period * step_s > LONG_ROUND_S else period * math.ceil(STEPS / period)
    time_left.require((period + ROUNDS * num_steps) * step_s)
    time_left.spend(trainer, route, period, step_s)
    while not trainer.is_settled:
        time_left.spend(trainer, route, period, step_s)
    rounds = [time_left.spend(trainer, route, num_steps, step_s) for _ in range(ROUNDS)]
    return statistics.median(rounds) / num_steps
