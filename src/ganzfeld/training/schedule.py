"""Learning rates over a run, as a function of the pictures seen and the pictures planned."""

import math

from ganzfeld.recipes.schema import Schedule


def progress_of(images_seen: int, horizon: int | None) -> float:
    """The share of the run that is done, from 0 to 1; 0 as long as the horizon (pictures) is not known."""
    return min(1.0, images_seen / horizon) if horizon else 0.0


def rate_factor(schedule: Schedule, images_seen: int, progress: float) -> float:
    """What both learning rates are multiplied by: a linear rise, then the decay to the floor."""
    rise = min(1.0, (images_seen + 1) / (schedule.warmup_images + 1))
    remaining = {
        "none": 1.0,
        "linear": 1 - progress,
        "cosine": (1 + math.cos(math.pi * progress)) / 2,
    }[schedule.decay]
    return rise * (schedule.floor + (1 - schedule.floor) * remaining)
