"""The run was better before: the images get worse again and stay so."""

import numpy as np

from ganzfeld.health.evidence import RunEvidence
from ganzfeld.health.finding import Evidence, Finding, Remedy
from ganzfeld.health.remedies import both_rates
from ganzfeld.health.symptoms import figure, high

READINGS = ("decay",)
FLOOR = 0.02
LONG = 0.999
"""A moving average of about a thousand steps."""


def find(run: RunEvidence) -> Finding | None:
    """A kernel distance that is more times the best one before than healthy runs show."""
    decay = high(run, "decay", "the kernel distance as a multiple of the best before, chance allowed for,")
    if not decay:
        return None
    distance = run.series("kernel_distance")
    best = int(np.argmin(distance.values))
    at, least, now = int(distance.images[best]), float(distance.values[best]), float(distance.values[-1])
    text = f"the kernel distance was {figure(least)} after {at:,} images and is {figure(now)} now"
    return Finding(
        "late-decay",
        "sick",
        decay.since_images,
        (
            Evidence(text, {"best": least, "now": now, "best_at_images": at}, "kernel_distance"),
            decay.evidence,
        ),
        "With rates that do not fall the networks keep moving once there is little left to learn, and drift "
        "away from their best; a discriminator that overfits does the same.",
        _remedy(run),
    )


def _remedy(run: RunEvidence) -> Remedy:
    """Rates that fall to the end; where they do, lower ones."""
    schedule, ema = run.recipe["schedule"], run.recipe["ema"]
    if schedule["decay"] == "cosine" and schedule["floor"] <= FLOOR and ema >= LONG:
        text = "Take model/best of this run; next time train with half the learning rates."
        return Remedy(text, both_rates(run, 0.5))
    text = "Take model/best of this run; next time let the learning rates fall to the end, and average."
    return Remedy(text, ("schedule.decay=cosine", f"schedule.floor={FLOOR}", f"ema={max(LONG, ema)}"))
