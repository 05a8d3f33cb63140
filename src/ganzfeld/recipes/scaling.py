"""The scaling rule: the batch, rates and average of ``modern`` that a budget of time buys on a machine.

``docs/scaling_rule.md`` has the runs to which the numbers are fitted, and what is extrapolated.
"""

import math
from collections.abc import Mapping
from typing import Any

FAMILY = "modern"
"""The recipe that is fitted to budget and machine if it is asked for by this name."""

FITTED = "Fitted to "
"""The beginning of the note that a fitted recipe carries."""

LEAST_BATCH, MOST_BATCH = 16, 1024
LARGEST_FITTED = 128
"""The largest batch of the runs to which the rule is fitted; beyond it the rule is extrapolated."""

CRITICAL_BATCH = 26.5
"""The batch of which half of the images is spent on a lower noise of the gradient, early in training."""
EARLY_IMAGES = 48_000
GROWTH = 0.70
"""The critical batch grows as this power of the effective images."""

CLEARLY = 1.05
"""The least factor of effective images that a larger batch must buy: the relative error of the fit."""

RATE, LARGEST_RATE = 1e-3, 2e-3
RATE_HOLDS_TO = 32
AVERAGE_SHARE = 0.15
"""The length of the moving average, as a share of the run. It moves only when G is updated, so its length is
counted in updates of G: as many as steps, unless the recipe has several steps of D per step of G."""
SHORTEST_AVERAGE = 500
"""The shortest moving average, in updates of G."""
LONGEST_AVERAGE = 100_000
"""The longest one: a decay nearer to 1 would hardly move the averaged weights."""


def effective_images(images: float, batch: int) -> float:
    """Return the images that a batch far below the critical one would need to learn as much.

    With E effective images, a batch b needs E (1 + b / B) images, where the critical batch B grows with
    progress: B = 26.5 (E / 48,000)^0.70. The form is that of McCandlish et al. 2018, equation 2.11.
    """
    low, high = 0.0, float(images)
    for _ in range(60):
        middle = (low + high) / 2
        critical = CRITICAL_BATCH * (middle / EARLY_IMAGES) ** GROWTH
        if critical and middle * (1 + batch / critical) <= images:
            low = middle
        else:
            high = middle
    return low


def best_batch(images_of_batch: Mapping[int, float]) -> int:
    """Return the batch that buys the most effective images, or a smaller one that buys nearly as many.

    ``images_of_batch`` gives the number of images that the budget pays for at each batch.
    """
    effective = {batch: effective_images(images, batch) for batch, images in images_of_batch.items()}
    most = max(effective.values())
    return min(batch for batch, images in effective.items() if CLEARLY * images >= most)


def is_past_best(images_of_batch: Mapping[int, float]) -> bool:
    """Check whether the last two batches of those tried, each twice the one before, buy no more.

    One batch may be slower than its neighbours, since speeds need not grow evenly.
    """
    return best_batch(images_of_batch) < max(images_of_batch) // 2


def fitted_settings(batch: int, images: float, discriminator_steps: int = 1) -> dict[str, Any]:
    """Return the settings of ``modern`` for a batch and the number of images of the whole run.

    ``discriminator_steps`` is the number of steps per update of G.
    """
    rate = min(LARGEST_RATE, RATE * math.sqrt(max(1.0, batch / RATE_HOLDS_TO)))
    updates = images / batch / discriminator_steps
    average = min(LONGEST_AVERAGE, max(SHORTEST_AVERAGE, AVERAGE_SHARE * updates))
    settings = {
        "batch": batch,
        # One digit of its distance from 1, so that small differences of speed change nothing.
        "ema": round(1 - float(f"{1 / average:.1g}"), 9),
    }
    if rate != RATE:
        settings |= {f"{side}.optimizer.lr": float(f"{rate:.2g}") for side in ("generator", "discriminator")}
    return settings
