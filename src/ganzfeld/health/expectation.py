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

from ganzfeld.health.evidence import IMAGE, RunEvidence
from ganzfeld.printable import duration

NINE_IN_TEN = 0.9


@dataclass(frozen=True, slots=True)
class Expectation:
    """How many images runs of one kind have needed until their images varied.

    ``recipe`` is the kind of the recipe and ``width`` the least width of the generator, as in ``Limit``.
    ``until_varied`` holds the images that runs needed, in ascending order; the others of ``num_runs`` did not
    come so far, in up to ``longest`` images. ``batch`` is the largest batch of these runs.
    """

    recipe: str
    width: int
    until_varied: tuple[int, ...]
    num_runs: int
    longest: int
    batch: int

    @property
    def name(self) -> str:
        """The name of the recipe."""
        return self.recipe.split()[0]

    @property
    def high(self) -> int | None:
        """The images after which nine in ten runs had varied images; None if fewer ever had."""
        return self._quantile(self.until_varied, self.num_runs, NINE_IN_TEN)

    def high_at(self, batch: int) -> int | None:
        """Return ``high`` for runs with another batch: a larger one needs as many steps, so more images."""
        return None if self.high is None else round(self.high * max(1.0, batch / self.batch))

    def median(self, seen: int = 0) -> int | None:
        """Return the images that half of the runs needed which were not varied after ``seen`` images.

        It is None if most of these never were.
        """
        later = [images for images in self.until_varied if images > seen]
        return self._quantile(later, len(later) + self.num_runs - len(self.until_varied), 0.5)

    @staticmethod
    def _quantile(images: Sequence[int], num_runs: int, share: float) -> int | None:
        needed = max(1, math.ceil(share * num_runs))
        return images[needed - 1] if needed <= len(images) else None


@dataclass(frozen=True, slots=True)
class Forecast:
    """What to expect of a run that has learned little yet.

    ``images`` is when half of the runs of its kind that had come no further showed varied images, and
    ``seconds`` the time until then at the speed of the run; None if that is not known. ``sooner`` is the
    expectation of the recipe that gets there first, if the run will end before it gets there itself.
    """

    expectation: Expectation
    images: int | None
    seconds: float | None
    planned_images: int | None
    sooner: Expectation | None

    @property
    def sentences(self) -> str:
        """What to expect, in words."""
        name, kind = self.expectation.name, self.expectation
        if self.images is None:
            known = (
                f"Most runs of {name} that had come no further by then showed no varied images in up to"
                f" {_rounded(kind.longest)} images."
            )
        else:
            known = (
                f"That is usual for {name}: half of the runs that had come no further showed varied images"
                f" after {_rounded(self.images)}"
            )
            known += f", which takes {duration(self.seconds)} more at this speed." if self.seconds else "."
        if self.sooner is None:
            return known
        end = f" The run ends at {self.planned_images:,} images." if self.planned_images else ""
        sooner = f" The recipe {self.sooner.name} gets there after about {_rounded(self.sooner.median())}."
        return known + end + sooner

    def as_json(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        recipe = self.sooner.name if self.sooner else None
        return {"images": self.images, "seconds": self.seconds, "recipe": recipe}


@cache
def expectations() -> tuple[Expectation, ...]:
    """Return the expectations that ship with the package."""
    content = json.loads((files("ganzfeld.health") / "expected.json").read_text(encoding="utf-8"))
    return tuple(
        Expectation(**kind | {"until_varied": tuple(kind["until_varied"])}) for kind in content["kinds"]
    )


def expected_of(run: RunEvidence, known: Sequence[Expectation] | None = None) -> Expectation | None:
    """Return the expectation for runs of the kind of a run, None for recipes of no known kind.

    The runs that are known were on images, so nothing is expected of other kinds of data.
    """
    if run.kind_of_data != IMAGE:
        return None
    width = run.recipe["generator"]["width"]
    of_kind = [
        kind
        for kind in (expectations() if known is None else known)
        if kind.recipe == run.kind and kind.width <= width
    ]
    return max(of_kind, key=lambda kind: kind.width, default=None)


def forecast(run: RunEvidence, known: Sequence[Expectation] | None = None) -> Forecast | None:
    """Return what to expect of a run whose images are not varied yet; None for recipes of no known kind."""
    known = expectations() if known is None else known
    expected = expected_of(run, known)
    if expected is None:
        return None
    images, planned = expected.median(run.images_seen), run.planned_images
    sooner = None
    if images is None or (planned is not None and planned < images):
        width = run.recipe["generator"]["width"]
        medians = {
            median: kind
            for kind in known
            if kind.recipe != expected.recipe and kind.width <= width
            if (median := kind.median()) is not None and (images is None or median < images)
        }
        sooner = medians[min(medians)] if medians else None
    seconds = None if images is None else _seconds_to(run, images)
    return Forecast(expected, images, seconds, planned, sooner)


def _seconds_to(run: RunEvidence, images: int) -> float | None:
    """Return the seconds of training until a run has seen ``images``, at its speed so far."""
    last = run.entries[-1] if run.entries else {}
    seconds, seen = last.get("seconds"), last.get("images_seen", 0)
    if not isinstance(seconds, int | float) or not seen or not 0 < seconds < math.inf:
        return None
    return (images - seen) * seconds / seen


def _rounded(images: int | None) -> str:
    """Return a number of images with two digits, as exact as the forecast is."""
    assert images is not None
    return f"{int(float(f'{images:.2g}')):,}"
