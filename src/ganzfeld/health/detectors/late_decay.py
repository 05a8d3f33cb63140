"""The images were better earlier in the run: they have become worse again and stay so."""

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
    """Check by what factor the kernel distance exceeds the best one so far."""
    decay = high(
        run, "decay", "the kernel distance as a multiple of the best one so far (after allowing for chance)"
    )
    if not decay:
        return None
    distance = run.series("kernel_distance")
    best = int(np.argmin(distance.values))
    at, lowest, now = int(distance.images[best]), float(distance.values[best]), float(distance.values[-1])
    text = f"the kernel distance was {figure(lowest)} after {at:,} images and is {figure(now)} now"
    return Finding(
        "late-decay",
        "sick",
        decay.since_images,
        (
            Evidence(text, {"best": lowest, "now": now, "best_at_images": at}, "kernel_distance"),
            decay.evidence,
        ),
        "If the learning rates do not decay, the networks keep moving when there is little left to learn, "
        "and drift away from their best state. An overfitting discriminator has the same effect.",
        settling(run),
    )


def settling(run: RunEvidence) -> Remedy:
    """Return learning rates that decay to the end of the run, or halved ones if they already decay."""
    schedule, ema = run.recipe["schedule"], run.recipe["ema"]
    # A loop that somebody else wrote has no model/best.
    best = "Go back to weights from before." if run.watched else "Use model/best of this run."
    if schedule["decay"] == "cosine" and schedule["floor"] <= FLOOR and ema >= LONG:
        return Remedy(f"{best} In the next run, halve both learning rates.", both_rates(run, 0.5))
    text = f"{best} In the next run, let the learning rates decay to the end and average the weights."
    return Remedy(text, ("schedule.decay=cosine", f"schedule.floor={FLOOR}", f"ema={max(LONG, ema)}"))
