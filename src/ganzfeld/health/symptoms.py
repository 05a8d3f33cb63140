"""A reading that has left the range of healthy runs, and has stayed outside.

One bad reading is chance. What counts is the best of the latest readings: the mildest of at least ``LEAST``
of them that reach back over at least the share ``SPAN`` of all images seen. Limits are ranges of this very
number in healthy runs, so that waiting is part of what is calibrated; ``tools/doctor_limits.py`` takes it
from here.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ganzfeld.health.derived import series_of
from ganzfeld.health.evidence import RunEvidence, Series
from ganzfeld.health.finding import Evidence
from ganzfeld.health.limits import Limit

LEAST = 3
SPAN = 0.05

Side = Literal["low", "high"]


@dataclass(frozen=True, slots=True)
class OutOfRange:
    """A reading outside its limit since ``since_images`` images; ``value`` is the last one.

    ``what`` says what was read, as the beginning of a sentence.
    """

    name: str
    what: str
    side: Side
    since_images: int
    value: float
    limit: Limit

    @property
    def evidence(self) -> Evidence:
        """What was read, its value, since when, and what is healthy, in one sentence."""
        bound = self.limit.high if self.side == "high" else self.limit.low
        other = "above" if self.side == "high" else "below"
        whose = f" by {self.limit.recipe.split()[0]}" if self.limit.recipe else ""
        text = (
            f"{self.what} is {figure(self.value)}, {other} {figure(bound)}, which {self.limit.num_runs} "
            f"healthy runs{whose} did not show at this stage; it has been outside their range "
            f"since {self.since_images:,} images"
        )
        return Evidence(text, {self.name: self.value, "limit": bound}, self.name)


def high(run: RunEvidence, name: str, what: str) -> OutOfRange | None:
    """The symptom that a reading is too high; None if it is not, or if that cannot be known."""
    return _symptom(run, name, what, "high")


def low(run: RunEvidence, name: str, what: str) -> OutOfRange | None:
    """The symptom that a reading is too low; None if it is not, or if that cannot be known."""
    return _symptom(run, name, what, "low")


def seen(*symptoms: OutOfRange | None) -> tuple[OutOfRange, ...]:
    """Those symptoms that are there."""
    return tuple(symptom for symptom in symptoms if symptom)


def since(symptoms: Sequence[OutOfRange]) -> int:
    """The images seen when the first of them began."""
    return min(symptom.since_images for symptom in symptoms)


def evidence(symptoms: Sequence[OutOfRange]) -> tuple[Evidence, ...]:
    """The sentences of all of them."""
    return tuple(symptom.evidence for symptom in symptoms)


@dataclass(frozen=True, slots=True)
class NotKnown:
    """Why nothing can be said about a reading: in words, and whether it was read in vain."""

    text: str
    has_no_limit: bool = False
    """It was read, and no healthy run has shown what is usual."""


def why_not_known(run: RunEvidence, name: str) -> NotKnown | None:
    """Return why nothing can be said about a reading now; None if something can."""
    series = series_of(run, name)
    if not len(series):
        return NotKnown(f"{name} was not read")
    if not _is_known(run, name):
        return NotKnown(f"what is healthy for {name} has not been measured", has_no_limit=True)
    if math.isnan(_mildest(series, "high", len(series) - 1)[0]):
        times = "once" if len(series) == 1 else f"{len(series)} times"
        return NotKnown(f"{name} was read only {times} until now")
    return None


def persisted(series: Series, side: Side) -> tuple[np.ndarray, np.ndarray]:
    """For each reading the mildest of the latest ones, and the index of the first of these.

    NaN and 0 while there are too few of them.
    """
    values, starts = np.full(len(series), np.nan), np.zeros(len(series), dtype=int)
    for end in range(len(series)):
        values[end], starts[end] = _mildest(series, side, end)
    return values, starts


def _mildest(series: Series, side: Side, end: int) -> tuple[float, int]:
    """Return the mildest of the readings up to ``end`` and the index of the first of these; see above."""
    far_enough = int(np.searchsorted(series.images, (1 - SPAN) * series.images[end], side="right")) - 1
    if end < LEAST - 1 or far_enough < 0:
        return math.nan, 0
    start = min(end - LEAST + 1, far_enough)
    window = series.values[start : end + 1]
    return float(window.min() if side == "high" else window.max()), start


def steps_of(run: RunEvidence, series: Series) -> np.ndarray:
    """The step at which each value of a series was read."""
    steps = run.once("steps", lambda: {each["images_seen"]: each.get("step", 0) for each in run.entries})
    return np.array([steps[images] for images in series.images.tolist()], dtype=int)


def figure(value: float) -> str:
    """A number for people: three digits."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _is_known(run: RunEvidence, name: str) -> bool:
    series = series_of(run, name)
    return run.limit(name, int(steps_of(run, series)[-1])) is not None


def _symptom(run: RunEvidence, name: str, what: str, side: Side) -> OutOfRange | None:
    series = series_of(run, name)
    steps = steps_of(run, series)
    first, last = None, None
    # From the end back, until one lies inside: of a healthy reading one alone is looked at.
    for end in reversed(range(len(series))):
        limit, (value, start) = run.limit(name, int(steps[end])), _mildest(series, side, end)
        if limit is None or not (value > limit.high if side == "high" else value < limit.low):
            break
        first, last = start, last or limit
    if first is None or last is None:
        return None
    return OutOfRange(name, what, side, int(series.images[first]), float(series.values[-1]), last)
