"""What an experiment has measured, and the verdicts that follow from it."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, final

from torch import Tensor

from ganzfeld.lab.estimate import Estimate, as_estimate

Part = Literal["closed form", "bench", "in situ"]
Role = Literal["claim", "limit", "shown"]
"""``claim``: the theory predicts ``expected``, and the measurement must agree with it. ``limit``: the theory
predicts ``expected`` here too, and the measurement departs from it where the claim has its limit. ``shown``:
a figure that is worth knowing and decides nothing.
"""

STANDARD_ERRORS = 3.0
"""By how many standard errors a value may differ from the expected one and still agree with it."""


@dataclass(frozen=True, slots=True)
class Measured:
    """One figure: its ``value``, its standard ``error`` (0 where the value is exact), and what the claim
    expects.

    ``key`` identifies the figure within its experiment, and code looks it up by that; ``name`` tells people
    what it is. ``of`` is the key of the sentence that it tests. ``tolerance`` is the difference that rounding
    or a stated approximation may cause, in the unit of the value. ``num_trainings`` is the number of
    independent runs whose mean (or extreme) the value is, None where it is not taken over runs.
    """

    key: str
    name: str
    value: float
    error: float
    expected: float | None
    role: Role
    part: Part
    tolerance: float = 0.0
    of: str | None = None
    num_trainings: int | None = None

    @property
    def agrees(self) -> bool:
        """Whether the value is what the claim expects, within three standard errors and the tolerance.

        A value that is not finite agrees with nothing.
        """
        if self.expected is None:
            return True
        allowed = STANDARD_ERRORS * self.error + self.tolerance
        return math.isfinite(self.value) and abs(self.value - self.expected) <= allowed

    def as_json(self) -> dict[str, Any]:
        """Return the figure as ``verdict.json`` holds it."""
        trainings = {} if self.num_trainings is None else {"num_trainings": self.num_trainings}
        return {
            "key": self.key,
            "name": self.name,
            "value": _or_null(self.value),
            "error": _or_null(self.error),
            "expected": self.expected,
            "role": self.role,
            "part": self.part,
            "agrees": self.agrees,
        } | trainings


@final
@dataclass(frozen=True, slots=True)
class _SentenceFigure:
    """Builds figures that test a sentence of the claim, all in one role."""

    role: Literal["claim", "limit"]

    def __call__(
        self,
        key: str,
        name: str,
        measured: Estimate | float,
        expected: float,
        *,
        of: str,
        part: Part = "bench",
        tolerance: float = 0.0,
        num_trainings: int | None = None,
    ) -> Measured:
        """Build a figure from an estimate, or from a value without an error; ``of`` is the key of the
        sentence that it tests.
        """
        value, error = as_estimate(measured)
        return Measured(key, name, value, error, expected, self.role, part, tolerance, of, num_trainings)


claim = _SentenceFigure("claim")
"""Builds a figure that must be as the claim expects."""

limit = _SentenceFigure("limit")
"""Builds a figure at a limit of the claim: if it departs, its sentence holds only with limits."""


def shown(
    key: str,
    name: str,
    measured: Estimate | float,
    expected: float | None = None,
    *,
    part: Part = "bench",
    tolerance: float = 0.0,
    num_trainings: int | None = None,
) -> Measured:
    """Build a figure that decides nothing; the value it is ``expected`` to have is not part of the claim."""
    value, error = as_estimate(measured)
    return Measured(key, name, value, error, expected, "shown", part, tolerance, None, num_trainings)


def largest_error(
    key: str, name: str, difference: Tensor, *, of: str, tolerance: float, part: Part = "bench"
) -> Measured:
    """Build the figure of a formula's largest error, from all its differences; the claim expects 0."""
    return claim(key, name, float(difference.abs().max()), 0.0, of=of, part=part, tolerance=tolerance)


def formula_errors(
    keys: tuple[str, str],
    name: str,
    errors: tuple[Tensor, Tensor],
    *,
    of: str,
    tolerances: tuple[float, float],
) -> list[Measured]:
    """Build the figures of the closed form of a derivative: its largest errors against autograd and against
    differences.
    """
    return [
        largest_error(
            key,
            f"{name} by {way}, largest error of the formula",
            error,
            of=of,
            tolerance=tolerance,
            part="closed form",
        )
        for key, way, error, tolerance in zip(
            keys, ("autograd", "differences in float64"), errors, tolerances, strict=True
        )
    ]


Figures = Mapping[str, Measured]
"""All figures of an experiment, by key."""


def by_key(figures: Iterable[Measured]) -> dict[str, Measured]:
    """Index figures by key. Two figures with the same key are a bug in the experiment."""
    indexed: dict[str, Measured] = {}
    for figure in figures:
        assert figure.key not in indexed, f"two figures have the key {figure.key}"
        indexed[figure.key] = figure
    return indexed


def numbered(figures: Figures, key: str) -> list[Measured]:
    """Return the figures ``<key>-1``, ``<key>-2`` and so on, as many as there are."""
    series: list[Measured] = []
    while f"{key}-{len(series) + 1}" in figures:
        series.append(figures[f"{key}-{len(series) + 1}"])
    return series


def _or_null(number: float) -> float | None:
    """Return the number, or None where it is not finite: JSON cannot write such a number."""
    return float(number) if math.isfinite(number) else None


Verdict = Literal["holds", "holds with limits", "fails", "not decided"]


def verdict_of(figures: Iterable[Measured]) -> Verdict:
    """Return the verdict that follows from figures, on a whole claim or on one of its sentences.

    ``fails``: a figure of the claim is not as the claim expects. ``holds with limits``: all of these are, and
    at least one figure at a limit is not. ``holds``: no figure departs. A sentence that was measured only at
    its limits fails if all of these figures depart. ``not decided``: no figure tests the claim.
    """
    agree: dict[Role, list[bool]] = {"claim": [], "limit": [], "shown": []}
    for figure in figures:
        agree[figure.role].append(figure.agrees)
    if not (agree["claim"] or agree["limit"]):
        return "not decided"
    if not all(agree["claim"]) or not (agree["claim"] or any(agree["limit"])):
        return "fails"
    return "holds" if all(agree["limit"]) else "holds with limits"


@dataclass(frozen=True)
class Outcome:
    """The outcome of an experiment: its settings, its figures, and the ``data`` that its drawing shows.

    ``advice`` is one paragraph on what a practitioner should do, written from the figures. ``sentences`` are
    the sentences of the claim, by key.
    """

    name: str
    settings: dict[str, Any]
    seed: int
    figures: tuple[Measured, ...]
    advice: str
    data: dict[str, Any] = field(default_factory=dict)
    sentences: Mapping[str, str] = field(default_factory=dict)

    @property
    def verdict(self) -> Verdict:
        """The verdict on the whole claim; see ``verdict_of``."""
        return verdict_of(self.figures)

    @property
    def claims(self) -> list[dict[str, Any]]:
        """The sentences of the claim, each with its verdict and the keys of the figures that decide it."""
        return [_with_verdict(key, sentence, self.figures) for key, sentence in self.sentences.items()]

    def as_json(self) -> dict[str, Any]:
        """Return the outcome as ``verdict.json`` holds it, without ``data``."""
        return {
            "name": self.name,
            "verdict": self.verdict,
            "claims": self.claims,
            "settings": self.settings,
            "seed": self.seed,
            "figures": [figure.as_json() for figure in self.figures],
            "advice": self.advice,
            "in_situ": self.data.get("in_situ"),
        }


def _with_verdict(key: str, sentence: str, figures: Sequence[Measured]) -> dict[str, Any]:
    """Return one sentence as JSON, with its verdict."""
    own = [figure for figure in figures if figure.of == key]
    keys = [figure.key for figure in own]
    return {"key": key, "sentence": sentence, "verdict": verdict_of(own), "figures": keys}
