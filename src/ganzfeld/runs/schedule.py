"""The learning rates over a run, as a function of the images seen and the images planned."""

import math
from collections.abc import Sequence
from typing import Annotated, NamedTuple

from pydantic import Field

from ganzfeld.recipes.schema import Schedule


class Horizon(NamedTuple):
    """A plan, made at ``since`` images, that the run will see ``images`` images in total.

    ``progress`` is the progress at ``since``, from which it rises linearly to 1; such a plan is an estimate
    that a later one may replace. If it is None, progress is the fraction of ``images`` seen so far, and the
    plan is final.
    """

    since: Annotated[int, Field(ge=0)]
    images: Annotated[int, Field(gt=0)]
    progress: Annotated[float, Field(ge=0, le=1)] | None = None

    def at(self, images_seen: int) -> float:
        """Return the progress, from 0 to 1, at ``images_seen``, which is at least ``since``."""
        if self.progress is None:
            return min(1.0, images_seen / self.images)
        share = min(1.0, (images_seen - self.since) / max(1, self.images - self.since))
        return min(1.0, self.progress + (1 - self.progress) * share)


def horizon_at(images_seen: int, horizons: Sequence[Horizon]) -> Horizon | None:
    """Return the horizon in force at ``images_seen``: the latest one that was known then."""
    return next((horizon for horizon in reversed(horizons) if horizon.since <= images_seen), None)


def known_at(images_seen: int, horizons: Sequence[Horizon]) -> tuple[Horizon, ...]:
    """Return the horizons of a run that changes course at ``images_seen``, without later estimates."""
    return tuple(horizon for horizon in horizons if horizon.since <= images_seen or horizon.progress is None)


def progress_of(images_seen: int, horizons: Sequence[Horizon]) -> float:
    """Return the fraction of the run that is done, from 0 to 1; 0 while no horizon is known.

    A run gets a new horizon with every new plan. The horizon in force at an image is the one that was known
    then, so a run that resumes from an earlier point follows the same course.
    """
    horizon = horizon_at(images_seen, horizons)
    return horizon.at(images_seen) if horizon else 0.0


def rate_factor(schedule: Schedule, images_seen: int, progress: float) -> float:
    """Return the factor of both learning rates: a linear warm-up, then the decay to the floor."""
    rise = min(1.0, (images_seen + 1) / (schedule.warmup_images + 1))
    remaining = {
        "none": 1.0,
        "linear": 1 - progress,
        "cosine": (1 + math.cos(math.pi * progress)) / 2,
    }[schedule.decay]
    return rise * (schedule.floor + (1 - schedule.floor) * remaining)
