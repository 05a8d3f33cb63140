"""Learning rates over a run, as a function of the images seen and the images planned."""

import math
from collections.abc import Sequence
from typing import Annotated, NamedTuple

from pydantic import Field

from ganzfeld.recipes.schema import Schedule


class Horizon(NamedTuple):
    """From ``since`` images on, a run is planned to see ``images`` images in all.

    ``progress`` is what had been reached at ``since``, from where it rises evenly to 1; such a plan may be
    replaced by a later one. None: the share of ``images`` that was seen, and the plan stays.
    """

    since: Annotated[int, Field(ge=0)]
    images: Annotated[int, Field(gt=0)]
    progress: Annotated[float, Field(ge=0, le=1)] | None = None

    def at(self, images_seen: int) -> float:
        """The progress after so many images, from 0 to 1; for at least ``since`` of them."""
        if self.progress is None:
            return min(1.0, images_seen / self.images)
        share = min(1.0, (images_seen - self.since) / max(1, self.images - self.since))
        return min(1.0, self.progress + (1 - self.progress) * share)


def horizon_at(images_seen: int, horizons: Sequence[Horizon]) -> Horizon | None:
    """The horizon that counts after so many images: the last one of those that were known then."""
    return next((each for each in reversed(horizons) if each.since <= images_seen), None)


def known_at(images_seen: int, horizons: Sequence[Horizon]) -> tuple[Horizon, ...]:
    """The horizons of a run that goes another way from so many images on: without those estimated later."""
    return tuple(each for each in horizons if each.since <= images_seen or each.progress is None)


def progress_of(images_seen: int, horizons: Sequence[Horizon]) -> float:
    """The share of the run that is done, from 0 to 1; 0 as long as no horizon is known.

    A run gets a new horizon with every new plan; at each image that one counts which was known then, so
    that going on from an earlier point goes the same way.
    """
    horizon = horizon_at(images_seen, horizons)
    return horizon.at(images_seen) if horizon else 0.0


def rate_factor(schedule: Schedule, images_seen: int, progress: float) -> float:
    """What both learning rates are multiplied by: a linear rise, then the decay to the floor."""
    rise = min(1.0, (images_seen + 1) / (schedule.warmup_images + 1))
    remaining = {
        "none": 1.0,
        "linear": 1 - progress,
        "cosine": (1 + math.cos(math.pi * progress)) / 2,
    }[schedule.decay]
    return rise * (schedule.floor + (1 - schedule.floor) * remaining)
