"""After how many images runs of a kind have shown varied images: what to expect of a run that has not yet.

The numbers come from the runs that the limits come from (``tools/doctor_limits.py``).
"""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from ganzfeld.health.evidence import RunEvidence
from ganzfeld.printable import duration


@dataclass(frozen=True, slots=True)
class Expectation:
    """How many images runs of one kind have needed until their images varied.

    ``recipe`` is the kind of the recipe and ``width`` the least width of the generator, as in ``Limit``.
    Half of the runs needed at most ``images``; four fifths of them between ``low`` and ``high``.
    ``num_varied`` of ``num_runs`` runs came so far at all. Where fewer than half did, ``images`` is the
    number after which runs had still not.
    """

    recipe: str
    width: int
    images: int
    low: int
    high: int
    num_runs: int
    num_varied: int

    @property
    def is_known(self) -> bool:
        """Whether most runs came so far."""
        return 2 * self.num_varied > self.num_runs


@dataclass(frozen=True, slots=True)
class Forecast:
    """What to expect of a run that has learned little yet.

    ``expectation`` is that of runs of its kind. ``seconds`` until then at the speed of the run are None if
    that is not known. ``sooner`` is the expectation of the recipe that gets there first, if the run will end
    before it gets there.
    """

    expectation: Expectation
    images_seen: int
    planned_images: int | None
    seconds: float | None
    sooner: Expectation | None

    @property
    def sentences(self) -> str:
        """What to expect, in words."""
        expected, name = self.expectation, self.expectation.recipe.split()[0]
        if not expected.is_known:
            known = f"Most runs of {name} showed no varied images within {expected.images:,} images."
        elif self.images_seen <= expected.high:
            known = (
                f"That is usual for {name} until about {expected.images:,} images ({expected.low:,} to"
                f" {expected.high:,} in most runs)"
            )
            if self.seconds and expected.images > self.images_seen:
                known += f", in {duration(self.seconds)} at this speed"
            known += "."
        else:
            known = f"Most runs of {name} had varied images after {expected.high:,} images."
        if self.sooner is None:
            return known
        end = f"The run ends at {self.planned_images:,} images. " if self.planned_images else ""
        faster = self.sooner
        return f"{known} {end}The recipe {faster.recipe.split()[0]} gets there after about {faster.images:,}."

    def as_json(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        expected = self.expectation
        return {
            "images": expected.images if expected.is_known else None,
            "low": expected.low,
            "high": expected.high,
            "seconds": self.seconds,
            "recipe": self.sooner.recipe.split()[0] if self.sooner else None,
        }


@cache
def expectations() -> tuple[Expectation, ...]:
    """Return the expectations that ship with the package."""
    content = json.loads((files("ganzfeld.health") / "expected.json").read_text(encoding="utf-8"))
    return tuple(Expectation(**kind) for kind in content["until_varied"])


def forecast(run: RunEvidence, known: Sequence[Expectation] | None = None) -> Forecast | None:
    """Return what to expect of a run whose images are not varied yet; None for recipes of no known kind."""
    known = expectations() if known is None else known
    width = run.recipe["generator"]["width"]
    of_kind = [kind for kind in known if kind.recipe == run.kind and kind.width <= width]
    if not of_kind:
        return None
    expected = max(of_kind, key=lambda kind: kind.width)
    seen, planned = run.images_seen, run.planned_images
    seconds = _seconds_to(run, expected.images) if expected.is_known else None
    ends_before = not expected.is_known or (planned is not None and planned < expected.images)
    faster = [
        kind
        for kind in known
        if kind.is_known and kind.width <= width and (not expected.is_known or kind.images < expected.images)
    ]
    sooner = min(faster, key=lambda kind: kind.images, default=None) if ends_before else None
    return Forecast(expected, seen, planned, seconds, sooner)


def _seconds_to(run: RunEvidence, images: int) -> float | None:
    """Return the seconds of training until a run has seen ``images``, at its speed so far."""
    last = run.entries[-1] if run.entries else {}
    seconds, seen = last.get("seconds"), last.get("images_seen", 0)
    if not isinstance(seconds, int | float) or not seen or not 0 < seconds < math.inf:
        return None
    return max(0.0, (images - seen) * seconds / seen)
