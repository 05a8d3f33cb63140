"""One figure that was measured, and its state: does it agree with what a sentence says, or depart from it?"""

import math
from dataclasses import dataclass
from typing import Any, Literal

from ganzfeld.lab.estimate import Estimate, as_estimate
from ganzfeld.lab.language import Phrase, say
from ganzfeld.lab.student import LEVEL, half_width, welch

Part = Literal["closed form", "bench", "in situ"]
Role = Literal["claim", "limit", "shown"]
"""``claim``: the sentence says this of the value, and the verdict depends on it. ``limit``: the sentence
says nothing of this case, or is right without it, and where the value departs the sentence has a limit.
``shown``: a figure that is worth knowing and decides nothing.
"""

Relation = Literal["=", ">", "<"]
State = Literal["agrees", "departs", "open"]
ROUNDING = 1e-6
"""The largest relative difference that counts as rounding."""


@dataclass(frozen=True, slots=True)
class Measured:
    """One figure: its ``value``, its standard ``error`` (0 where the value is exact) with its degrees of
    freedom, and the ``relation`` to the ``expected`` value that a sentence claims.

    ``key`` identifies the figure within its experiment, and code looks it up by that; ``name`` tells people
    what it is, a ``Phrase``. ``of`` is the key of the sentence that it tests. ``tolerance`` is the difference
    that rounding or a stated approximation may cause, in the unit of the value. ``margin``, for ``=``: the
    difference that would matter; the figure agrees only if its whole interval is that near, departs only
    if none of it is. ``num_trainings`` is the number of independent runs whose mean (or extreme) the value
    is, None where it is not taken over runs. ``expected_error`` and ``expected_dof`` are those of a rival.
    ``identity``: true by arithmetic in every run, so that runs are not averaged but all must agree.
    ``level`` is that of the interval; see ``every``.
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
    relation: Relation = "="
    dof: float = math.inf
    expected_error: float = 0.0
    expected_dof: float = math.inf
    margin: float | None = None
    identity: bool = False
    level: float = LEVEL

    @property
    def estimate(self) -> Estimate:
        """The value with its error and degrees of freedom, as a rival of another figure takes it."""
        return Estimate(self.value, self.error, self.dof)

    @property
    def interval(self) -> tuple[float, float]:
        """The ends of the interval around the value by itself."""
        half = half_width(self.error, self.dof, self.level)
        return self.value - half, self.value + half

    @property
    def is_example(self) -> bool:
        """Whether the value is that of one run, without an interval over runs, so that it decides nothing."""
        return self.dof == 0

    @property
    def state(self) -> State | None:
        """What the measurement says of the relation; None where nothing is expected."""
        if self.expected is None:
            return None
        difference = self.value - self.expected
        half = self._half_of_difference()
        if not (math.isfinite(difference) and math.isfinite(half)):
            return "open"
        if self.relation == "=":
            return _equality(abs(difference), half, self.tolerance, self.margin)
        side = difference if self.relation == ">" else -difference
        reach = half + self.tolerance
        return "agrees" if side > reach else "departs" if side < -reach else "open"

    @property
    def agrees(self) -> bool:
        """Whether the relation holds, or nothing is expected."""
        return self.state in (None, "agrees")

    @property
    def slack(self) -> float:
        """The difference from the expected value at which ``=`` still holds."""
        return self.tolerance + (self.margin or 0.0)

    @property
    def agrees_by_tolerance(self) -> bool:
        """Whether ``=`` holds only because of its ``slack``, where that is more than rounding."""
        if self.relation != "=" or self.expected is None or self.state != "agrees":
            return False
        is_rounding = self.slack <= ROUNDING * max(1.0, abs(self.expected))
        return not is_rounding and abs(self.value - self.expected) > self._half_of_difference()

    @property
    def departs(self) -> bool:
        """Whether the relation certainly does not hold."""
        return self.state == "departs"

    @property
    def reason(self) -> Phrase | None:
        """Why the state is open; None where it is not."""
        if self.state != "open":
            return None
        assert self.expected is not None
        if not (math.isfinite(self.value) and math.isfinite(self.expected)):
            return say("the measurement is not a finite number")
        if self.is_example or self.expected_dof == 0:
            return say("one run is an example; --thorough measures several")
        if self._half_of_difference() == 0:
            return say("both are equal")
        return say("the interval covers both sides")

    def _half_of_difference(self) -> float:
        """Return half the width of the interval of the difference between value and expected value."""
        if not self.expected_error:
            return half_width(self.error, self.dof, self.level)
        if self.dof == 0 or self.expected_dof == 0:
            return math.nan
        error = math.hypot(self.error, self.expected_error)
        dof = welch(self.error, self.dof, self.expected_error, self.expected_dof)
        return half_width(error, dof, self.level)

    def as_json(self) -> dict[str, Any]:
        """Return the figure as ``verdict.json`` holds it; names are English in every language."""
        low, high = self.interval
        trainings = {} if self.num_trainings is None else {"num_trainings": self.num_trainings}
        return {
            "key": self.key,
            "name": self.name,
            "value": _or_null(self.value),
            "error": _or_null(self.error),
            "dof": _or_null(self.dof),
            "interval": [_or_null(low), _or_null(high)],
            "level": self.level,
            "relation": self.relation,
            "expected": None if self.expected is None else _or_null(self.expected),
            "expected_error": _or_null(self.expected_error),
            "role": self.role,
            "part": self.part,
            "state": self.state,
            "reason": self.reason,
            "agrees": self.agrees,
        } | trainings


def _equality(distance: float, half: float, tolerance: float, margin: float | None) -> State:
    """Return the state of ``=`` at this distance from the expected value."""
    if margin is None:
        return "agrees" if distance <= half + tolerance else "departs"
    if distance + half <= margin + tolerance:
        return "agrees"
    return "departs" if distance - half > margin + tolerance else "open"


Expected = Estimate | Measured | float
"""What a figure is compared with: a number, or a rival with an error of its own."""


def compared(expected: Expected) -> dict[str, Any]:
    """Return the fields of a figure that say what it is compared with."""
    if isinstance(expected, Measured):
        expected = expected.estimate
    value, error, dof = as_estimate(expected)
    return {"expected": value, "expected_error": error, "expected_dof": dof}


def _or_null(number: float) -> float | None:
    """Return the number, or None where it is not finite: JSON cannot write such a number."""
    return float(number) if math.isfinite(number) else None
