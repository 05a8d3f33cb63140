"""After how many images runs of a kind have shown varied images: what to expect of a run that has not yet.

The numbers come from the runs that the limits come from (``tools/doctor_limits.py``).
"""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
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

    def at(self, batch: int) -> "Expectation":
        """Return what the same runs would have needed with another batch, as ``high_at`` does."""
        if batch <= self.batch:
            return self
        times = batch / self.batch
        return replace(
            self,
            until_varied=tuple(round(images * times) for images in self.until_varied),
            longest=round(self.longest * times),
            batch=batch,
        )

    def not_varied(self, seen: int) -> int:
        """Return how many of the runs had no varied images yet after ``seen`` images."""
        return self.num_runs - sum(images <= seen for images in self.until_varied)

    def median(self, seen: int = 0) -> int | None:
        """Return the images that half of the runs needed which were not varied after ``seen`` images.

        It is None if most of these never were, or if there is none.
        """
        later = [images for images in self.until_varied if images > seen]
        return self._quantile(later, self.not_varied(seen), 0.5)

    @staticmethod
    def _quantile(images: Sequence[int], num_runs: int, share: float) -> int | None:
        needed = max(1, math.ceil(share * num_runs))
        return images[needed - 1] if needed <= len(images) else None


@dataclass(frozen=True, slots=True)
class Forecast:
    """What to expect of a run that has learned little after ``seen`` images.

    ``images`` is when half of the runs of its kind that were not varied by then had varied images, and
    ``seconds`` the time until then at the speed of the run; None if that is not known. ``expectation`` is
    that of its kind; with ``is_scaled``, the batch of the run is larger than those of the known runs, and the
    expectation is what they would have needed with it. ``sooner`` is the expectation of another recipe that
    gets there sooner, if the run will end before it gets there itself. ``is_unusual``: settings of the run
    are far from those of the known runs, so that nothing of it is usual.
    """

    expectation: Expectation
    seen: int
    images: int | None
    seconds: float | None
    planned_images: int | None
    sooner: Expectation | None
    is_scaled: bool = False
    is_unusual: bool = False

    @property
    def sentences(self) -> str:
        """What to expect, in words."""
        known = self._later_than_known if self.images is None else self._usual
        if self.is_scaled:
            known += f" These are the images of as many steps with batches of {self.expectation.batch}."
        if self.is_unusual:
            known += " The settings of this run are far from theirs."
        if self.sooner is None:
            return known
        end = f" The run ends at {self.planned_images:,} images." if self.planned_images else ""
        images = _rounded(self.sooner.median())
        return f"{known}{end} The recipe {self.sooner.name} has varied images after about {images}."

    @property
    def _usual(self) -> str:
        """When half of the known runs had varied images that had none at this stage."""
        kind, images = self.expectation, _rounded(self.images)
        left = kind.not_varied(self.seen)
        if 2 * left >= kind.num_runs:
            usual = f"That is usual for {kind.name}: half of its runs"
            runs = f"Half of the runs of {kind.name}" if self.is_unusual else usual
            text = f"{runs} without varied images at this stage had them"
        else:
            text = (
                f"{left} of {kind.num_runs} runs of {kind.name} had no varied images at this stage either;"
                f" {'half of them' if left > 1 else 'this one'} had them"
            )
        time = f", which takes {duration(self.seconds)} more at this speed" if self.seconds else ""
        return f"{text} after {images}{time}."

    @property
    def _later_than_known(self) -> str:
        """What became of the known runs, where most that had no varied images at this stage never had any."""
        kind = self.expectation
        num, longest = len(kind.until_varied), _rounded(kind.longest, up=False)
        if not num:
            return f"None of {kind.num_runs} runs of {kind.name} had varied images in up to {longest} images."
        last = _rounded(kind.until_varied[-1])
        if num == kind.num_runs:
            return (
                f"All {num} runs of {kind.name} had varied images after {last} images at the latest: this run"
                " is later."
            )
        return (
            f"{num} of {kind.num_runs} runs of {kind.name} had varied images, after {last} at the latest; the"
            f" others had none in up to {longest} images."
        )

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


def slowest_for(run: RunEvidence, known: Sequence[Expectation] | None = None) -> Expectation | None:
    """Return the known kind that would need the most images with the batch of a run; None if none is known.

    It is what a run of no known kind is compared with: it may well need longer than other recipes. Kinds of
    which fewer than nine in ten runs ever had varied images do not count. Nothing is known of other kinds of
    data than images.
    """
    if run.kind_of_data != IMAGE:
        return None
    batch = run.recipe["batch"]
    needed = [
        (high, kind)
        for kind in (expectations() if known is None else known)
        if (high := kind.high_at(batch)) is not None
    ]
    return max(needed, key=lambda pair: pair[0], default=(0, None))[1]


def forecast(run: RunEvidence, known: Sequence[Expectation] | None = None) -> Forecast | None:
    """Return what to expect of a run whose images are not varied yet; None for recipes of no known kind."""
    known = expectations() if known is None else known
    expected = expected_of(run, known)
    if expected is None:
        return None
    of_kind, seen = expected, run.images_seen
    expected = of_kind.at(run.recipe["batch"])
    images, planned = expected.median(seen), run.planned_images
    is_too_short = images is None or (planned is not None and planned < images)
    sooner = _sooner(run, expected, images, known) if is_too_short else None
    seconds = None if images is None else _seconds_to(run, images)
    is_scaled, is_unusual = expected is not of_kind, bool(run.unusual)
    return Forecast(expected, seen, images, seconds, planned, sooner, is_scaled, is_unusual)


def _sooner(
    run: RunEvidence, expected: Expectation, images: int | None, known: Sequence[Expectation]
) -> Expectation | None:
    """Return the kind of another recipe that has varied images first, if started now instead of this run.

    It must need fewer images than this run still does, and fewer than the recipe of this run from its start.
    """
    present = [own for own in (expected.median(), images and images - run.images_seen) if own is not None]
    width = run.recipe["generator"]["width"]
    widest: dict[str, Expectation] = {}
    for kind in sorted(known, key=lambda kind: kind.width):
        if kind.width <= width and kind.recipe != expected.recipe:
            widest[kind.recipe] = kind
    faster = [
        (median, kind)
        for kind in widest.values()
        if (median := kind.median()) is not None and all(median < own for own in present)
    ]
    return min(faster, key=lambda pair: pair[0], default=(0, None))[1]


def _seconds_to(run: RunEvidence, images: int) -> float | None:
    """Return the seconds of training until a run has seen ``images``, at its speed so far."""
    last = run.entries[-1] if run.entries else {}
    seconds, seen = last.get("seconds"), last.get("images_seen", 0)
    if not isinstance(seconds, int | float) or not seen or not 0 < seconds < math.inf:
        return None
    return (images - seen) * seconds / seen


def _rounded(images: int | None, *, up: bool = True) -> str:
    """Return a number of images with two digits, as exact as the forecast is.

    It is rounded up, so that no run is said to have been sooner than it was, or down.
    """
    assert images is not None
    unit = 10 ** max(0, len(str(images)) - 2)
    return f"{(images + up * (unit - 1)) // unit * unit:,}"
