"""What an experiment has measured, and the verdict that follows from it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

Part = Literal["closed form", "bench", "in situ"]
Role = Literal["claim", "limit", "shown"]
"""``claim``: the theory predicts ``expected``, and the measurement must agree with it. ``limit``: the theory
would have ``expected`` here too, and the measurement departs from it where the claim has its limit.
``shown``: a figure that is worth knowing and decides nothing.
"""

STANDARD_ERRORS = 3.0


@dataclass(frozen=True, slots=True)
class Measured:
    """One figure: its ``value`` with its standard ``error`` (0 where it is exact), and what the claim
    expects.

    ``tolerance`` is what rounding or a stated approximation may add, in the unit of the value.
    """

    name: str
    value: float
    error: float
    expected: float | None
    role: Role
    part: Part
    tolerance: float = 0.0

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
        """The keys of the contract, and the rest."""
        return {
            "name": self.name,
            "value": _or_null(self.value),
            "error": _or_null(self.error),
            "expected": self.expected,
            "role": self.role,
            "part": self.part,
            "agrees": self.agrees,
        }


def _or_null(number: float) -> float | None:
    """The number, or None where it is none: JSON has no word for it."""
    return float(number) if math.isfinite(number) else None


Verdict = Literal["holds", "holds with limits", "fails"]


def verdict_of(figures: Sequence[Measured]) -> Verdict:
    """The verdict that figures give.

    ``fails``: a figure of the claim is not what the claim expects. ``holds with limits``: all of them are,
    and at least one figure at a limit is not. ``holds``: nothing departs. An experiment without a figure of
    its claim has shown nothing: that is an error of ours.
    """
    claims = [figure for figure in figures if figure.role == "claim"]
    assert claims, "an experiment measures its claim"
    if not all(figure.agrees for figure in claims):
        return "fails"
    departs = any(not figure.agrees for figure in figures if figure.role == "limit")
    return "holds with limits" if departs else "holds"


@dataclass(frozen=True)
class Outcome:
    """What came of an experiment: its settings, its figures, and the ``data`` that its picture is drawn from.

    ``advice`` is one paragraph on what a practitioner should do, built from the figures.
    """

    name: str
    settings: dict[str, Any]
    seed: int
    figures: tuple[Measured, ...]
    advice: str
    data: dict[str, Any] = field(default_factory=dict)

    @property
    def verdict(self) -> Verdict:
        """See ``verdict_of``."""
        return verdict_of(self.figures)

    def as_json(self) -> dict[str, Any]:
        """The keys of the contract, and the rest; without ``data``."""
        return {
            "name": self.name,
            "verdict": self.verdict,
            "settings": self.settings,
            "seed": self.seed,
            "figures": [figure.as_json() for figure in self.figures],
            "advice": self.advice,
            "in_situ": self.data.get("in_situ"),
        }
