"""Readings that have left the range of healthy runs and have stayed outside it.

A single bad value may be chance. The limits are therefore compared with the mildest of the latest values: of
at least ``LEAST`` values that reach back over at least the share ``SPAN`` of all images seen.
``tools/doctor_limits.py`` measures the limits with the same function, so the limits allow for this delay.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ganzfeld.health.derived import series_of
from ganzfeld.health.evidence import IMAGE, RunEvidence, Series
from ganzfeld.health.finding import Evidence
from ganzfeld.health.limits import Limit

LEAST = 3
SPAN = 0.05

Side = Literal["low", "high"]


@dataclass(frozen=True, slots=True)
class OutOfRange:
    """A reading that has been outside its limit since ``since_images`` images; ``value`` is the latest one.

    ``what`` names the reading in words, as the subject of a sentence.
    """

    name: str
    what: str
    side: Side
    since_images: int
    value: float
    limit: Limit

    @property
    def evidence(self) -> Evidence:
        """Reading, value, limit and beginning, in one sentence."""
        bound = self.limit.high if self.side == "high" else self.limit.low
        other = "above" if self.side == "high" else "below"
        of_recipe = f" of {self.limit.recipe.split()[0]}" if self.limit.recipe else " of several recipes"
        text = (
            f"{self.what} is {figure(self.value)}, {other} {figure(bound)}, the limit of "
            f"{self.limit.num_runs} healthy runs{of_recipe} at this stage; it has been outside their range "
            f"since {self.since_images:,} images"
        )
        return Evidence(text, {self.name: self.value, "limit": bound}, self.name)


def high(run: RunEvidence, name: str, what: str) -> OutOfRange | None:
    """Return the symptom if the reading is too high; None if it is not, or if its range is not known."""
    return _symptom(run, name, what, "high")


def low(run: RunEvidence, name: str, what: str) -> OutOfRange | None:
    """Return the symptom if the reading is too low; None if it is not, or if its range is not known."""
    return _symptom(run, name, what, "low")


def present(*symptoms: OutOfRange | None) -> tuple[OutOfRange, ...]:
    """Return the symptoms without None."""
    return tuple(symptom for symptom in symptoms if symptom)


def since(symptoms: Sequence[OutOfRange]) -> int:
    """Return the number of images seen when the first symptom began."""
    return min(symptom.since_images for symptom in symptoms)


def evidence(symptoms: Sequence[OutOfRange]) -> tuple[Evidence, ...]:
    """Return the evidence of every symptom."""
    return tuple(symptom.evidence for symptom in symptoms)


@dataclass(frozen=True, slots=True)
class NotKnown:
    """Why a reading cannot be assessed, in words."""

    text: str
    short: str
    """The same without the reading and its figures, so that findings can be listed by it."""
    has_no_limit: bool = False
    """Whether the reading has values but its range in healthy runs is not known at this step."""


def why_not_known(run: RunEvidence, name: str) -> NotKnown | None:
    """Return why a reading cannot be assessed now; None if it can."""
    series = series_of(run, name)
    if not len(series):
        return NotKnown(f"{name} has no readings", "no readings")
    step = int(steps_of(run, series)[-1])
    if run.kind_of_data != IMAGE:
        text = f"the healthy range of {name} in runs on {run.kind_of_data}s is not known"
        return NotKnown(text, f"no known range in runs on {run.kind_of_data}s", has_no_limit=True)
    if run.limit(name, step) is None:
        text = f"the healthy range of {name} at step {step:,} is not known"
        return NotKnown(text, "no known range at this step", has_no_limit=True)
    if math.isnan(_mildest(series, "high", len(series) - 1)[0]):
        times = "once" if len(series) == 1 else f"{len(series)} times"
        return NotKnown(f"{name} has been read only {times} so far", "too few readings so far")
    return None


def is_borrowed(run: RunEvidence, name: str) -> bool:
    """Check whether a reading is compared with the range of all recipes, as none was measured for its own.

    A loop that was watched has no recipe, so that nothing is missing there.
    """
    series = series_of(run, name)
    if not len(series):
        return False
    limit = run.limit(name, int(steps_of(run, series)[-1]))
    by_recipe = any(limit.recipe for limit in run.limits.get(name, ()))
    return limit is not None and limit.recipe != run.kind and by_recipe


def persisted(series: Series, side: Side) -> tuple[np.ndarray, np.ndarray]:
    """Return, for each value, the mildest of the latest ones, and the index of the first of these.

    They are NaN and 0 as long as there are too few values.
    """
    values, starts = np.full(len(series), np.nan), np.zeros(len(series), dtype=int)
    for end in range(len(series)):
        values[end], starts[end] = _mildest(series, side, end)
    return values, starts


def _mildest(series: Series, side: Side, end: int) -> tuple[float, int]:
    """Return the mildest of the latest values up to ``end``, and the index of the first of these."""
    far_enough = int(np.searchsorted(series.images, (1 - SPAN) * series.images[end], side="right")) - 1
    if end < LEAST - 1 or far_enough < 0:
        return math.nan, 0
    start = min(end - LEAST + 1, far_enough)
    window = series.values[start : end + 1]
    return float(window.min() if side == "high" else window.max()), start


def steps_of(run: RunEvidence, series: Series) -> np.ndarray:
    """Return the step at which each value of a series was read."""
    steps = run.cached("steps", lambda: {entry["images_seen"]: entry.get("step", 0) for entry in run.entries})
    return np.array([steps[images] for images in series.images.tolist()], dtype=int)


def figure(value: float) -> str:
    """Format a number for people, with three digits."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _symptom(run: RunEvidence, name: str, what: str, side: Side) -> OutOfRange | None:
    series = series_of(run, name)
    steps = steps_of(run, series)
    first, last = None, None
    # Going back from the end to the first value inside the range makes a healthy reading cheap to check.
    for end in reversed(range(len(series))):
        limit, (value, start) = run.limit(name, int(steps[end])), _mildest(series, side, end)
        if limit is None or not (value > limit.high if side == "high" else value < limit.low):
            break
        first, last = start, last or limit
    if first is None or last is None:
        return None
    return OutOfRange(name, what, side, int(series.images[first]), float(series.values[-1]), last)
