"""Learning rates over a run, as a function of the pictures seen and the pictures planned."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from ganzfeld.recipes.schema import Schedule


class Horizon(NamedTuple):
    """From ``since`` pictures on, a run is planned to see ``images`` pictures in all."""

    since: int
    images: int


def progress_of(images_seen: int, horizons: Sequence[Horizon]) -> float:
    """The share of the run that is done, from 0 to 1; 0 as long as no horizon is known.

    A run gets a new horizon with every new end; at each picture that one counts which was known then, so that
    going on from an earlier point goes the same way.
    """
    images = next((each.images for each in reversed(horizons) if each.since <= images_seen), None)
    return min(1.0, images_seen / images) if images else 0.0


def rate_factor(schedule: Schedule, images_seen: int, progress: float) -> float:
    """What both learning rates are multiplied by: a linear rise, then the decay to the floor."""
    rise = min(1.0, (images_seen + 1) / (schedule.warmup_images + 1))
    remaining = {
        "none": 1.0,
        "linear": 1 - progress,
        "cosine": (1 + math.cos(math.pi * progress)) / 2,
    }[schedule.decay]
    return rise * (schedule.floor + (1 - schedule.floor) * remaining)
