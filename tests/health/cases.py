"""Evidence made by hand: journals of numbers, and limits that are easy to calculate with."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from ganzfeld.health import RunEvidence
from ganzfeld.health.limits import Limit
from ganzfeld.recipes import resolve

EVERY_IMAGES = 100
BATCH = 10

HEALTHY = 0.5
"""The middle of every range."""


def limits_of(*names: str) -> dict[str, tuple[Limit, ...]]:
    """Return limits from 0.25 to 0.75, and from 0 to 1 in the first 20 steps."""
    return {name: (Limit(0.0, 1.0, 1.0, 40), Limit(0.25, 0.75, 1.0, 40, from_step=20)) for name in names}


def case_of(
    readings: Mapping[str, Sequence[Any]],
    *,
    recipe: str = "modern",
    settings: Sequence[str] = (),
    num_pictures: int = 5000,
    num_duplicates: int = 0,
    known: Sequence[str] | None = None,
) -> RunEvidence:
    """Return the evidence of a run with these readings every ``EVERY_IMAGES`` images, and their limits."""
    count = max(map(len, readings.values()), default=0)
    entries = [
        {
            "step": (number + 1) * EVERY_IMAGES // BATCH,
            "images_seen": (number + 1) * EVERY_IMAGES,
            "seconds": float(number),
            "loss_generator": 0.7,
            "loss_discriminator": 1.4,
            "health": {name: values[number] for name, values in readings.items() if number < len(values)},
        }
        for number in range(count)
    ]
    return RunEvidence(
        json.loads(json.dumps(entries)),
        resolve(recipe, settings).model_dump(mode="json"),
        num_pictures,
        num_duplicates,
        limits=limits_of(*(readings if known is None else known)),
    )


def turning(to: float, healthy: int = 12, wrong: int = 8) -> list[float]:
    """Return values of a reading that turns from healthy to ``to``, by default after 1,300 images."""
    return [HEALTHY] * healthy + [to] * wrong
