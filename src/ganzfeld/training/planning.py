"""Plans of how many images a run will see by its end, revised as its speed changes.

A plan is a ``Horizon``. Each one continues from the progress reached under the previous one, so that learning
rates never jump, and only as many are made as are needed for the progress to reach 1 when the time is up.
"""

import math
from collections import deque
from collections.abc import Sequence
from itertools import pairwise

from ganzfeld.runs.budget import Budget
from ganzfeld.runs.schedule import Horizon, horizon_at

TOLERANCE = 0.05
"""The share of the remaining images by which a plan may be wrong."""

SPACING = 1 / 8
"""The share of the time or progress remaining at one plan that must pass before the next plan: so the number
of plans grows as the logarithm of the length of a run, however its speed changes."""

LEAST_LEFT = 0.002
"""The share of progress or time below which the rest is not planned again: an error cannot be larger."""

WINDOW = 0.5
"""The window for measuring the speed, as a share of the remaining time. So a short stop weighs little, and
near the end the latest speed counts."""

LONGEST_WINDOW_S = 60.0
USUAL_WINDOW_S = 30.0
LEAST_STEPS = 4
FEW_STEPS = 8
MOST_NOTES = 500
CHECKS = 250
"""How often a plan is checked while the remaining time shrinks by a factor of e."""

LEAST_MEASURED = 0.1
LEAST_MEASURED_S = 15.0
"""A speed is trusted when it was measured for a tenth of the remaining time, or for fifteen seconds."""


class Speedometer:
    """Measures images per second over the last seconds of training; the first step does not count."""

    def __init__(self, longest_s: float = LONGEST_WINDOW_S) -> None:
        self._longest_s = longest_s
        self._notes: deque[tuple[int, float]] = deque()

    def note(self, images_seen: int, seconds: float) -> None:
        """Record the current position of the run."""
        # Notes that are too close are merged: some hundreds are enough for the longest window.
        if len(self._notes) > 1 and seconds - self._notes[-2][1] < self._longest_s / MOST_NOTES:
            self._notes.pop()
        self._notes.append((images_seen, seconds))
        while len(self._notes) > LEAST_STEPS + 1 and self._notes[1][1] <= seconds - self._longest_s:
            self._notes.popleft()

    @property
    def images_per_s(self) -> float:
        """Images per second over the usual window; 0 until there are two notes."""
        return self.over(USUAL_WINDOW_S)[0]

    def over(self, window_s: float) -> tuple[float, float]:
        """Return images per second over the last ``window_s`` or the last step, and the seconds measured."""
        return _speed(self._steps(window_s, 1))

    def steady(self, window_s: float) -> tuple[float, float]:
        """Return the same as ``over`` without the longest step, which may have been a stop."""
        steps = self._steps(window_s, LEAST_STEPS)
        if len(steps) > 1:
            steps.remove(max(steps, key=lambda step: step[1]))
        return _speed(steps)

    def _steps(self, window_s: float, least: int) -> list[tuple[int, float]]:
        """Return images and seconds of each step of the last ``window_s``, at least of ``least`` steps."""
        notes = list(self._notes)
        since = notes[-1][1] - window_s if notes else 0.0
        first = next((index for index, note in enumerate(notes) if note[1] >= since), 0)
        notes = notes[max(0, min(first, len(notes) - 1 - least)) :]
        return [(after[0] - before[0], after[1] - before[1]) for before, after in pairwise(notes)]


def _speed(steps: list[tuple[int, float]]) -> tuple[float, float]:
    """Return the images per second of some steps, and the seconds that they took."""
    images, seconds = (sum(step[column] for step in steps) for column in (0, 1))
    return (images / seconds, seconds) if seconds > 0 else (0.0, 0.0)


class Planner:
    """Decides when a run needs a new horizon, and makes it.

    If the budget is only a number of images, the horizon is known at once and stays. With minutes, it follows
    the speed.
    """

    def __init__(self, budget: Budget, batch: int) -> None:
        self._budget, self._batch = budget, batch
        self.speed = Speedometer(min(LONGEST_WINDOW_S, 60 * (budget.minutes or 1.0)))
        self._next_check_s = math.inf
        """The remaining seconds at which the plan is checked next."""
        self._left_at_plan = math.inf, math.inf
        """The remaining seconds and progress when this planner made its last plan."""

    def next(self, images_seen: int, seconds: float, horizons: Sequence[Horizon]) -> Horizon | None:
        """Return the new horizon at a position of the run; None if the current one is still right.

        Also None if there is a later horizon already, since a resumed run repeats its plans; and if the
        current one is fixed, as all those of older versions are.
        """
        current, budget = horizon_at(images_seen, horizons), self._budget
        if horizons and horizons[-1].since > images_seen:
            return None
        if current is None and budget.images is not None:
            is_fixed = budget.minutes is None and images_seen == 0
            return Horizon(images_seen, budget.images, None if is_fixed else 0.0)
        if budget.minutes is None or (current is not None and current.progress is None):
            return None
        left_s, progress = 60 * budget.minutes - seconds, current.at(images_seen) if current else 0.0
        if not self._check_is_due(left_s, 1 - progress):
            return None
        images = self._expected_images(images_seen, seconds, left_s)
        if images is None or (current is not None and self._fits(current, images, images_seen)):
            return None
        self._left_at_plan = left_s, 1 - progress
        return Horizon(images_seen, images, progress)

    def _check_is_due(self, left_s: float, progress_left: float) -> bool:
        """Check whether the plan may be revised now: not at every step, and not soon after the last plan."""
        assert self._budget.minutes is not None
        if left_s > self._next_check_s:
            return False
        self._next_check_s = left_s * (1 - 1 / CHECKS)
        if progress_left < LEAST_LEFT or left_s < LEAST_LEFT * 60 * self._budget.minutes:
            return False
        seconds_before, progress_before = self._left_at_plan
        return max(1 - left_s / seconds_before, 1 - progress_left / progress_before) >= SPACING

    def _expected_images(self, images_seen: int, seconds: float, left_s: float) -> int | None:
        """Estimate the images seen when the last step begins; return None if the speed is not known well."""
        window_s = min(WINDOW * left_s, LONGEST_WINDOW_S)
        speed, measured_s = self.speed.over(window_s)
        if measured_s < min(LEAST_MEASURED * left_s, LEAST_MEASURED_S):
            return None
        # If only few steps may be left, there is no time to find out whether a long one was only a stop.
        if speed * left_s > FEW_STEPS * self._batch:
            speed, _ = self.speed.steady(window_s)
        end = self._budget.horizon(images_seen - self._batch, seconds, speed)
        return max(images_seen + 1, end) if end and speed > 0 else None

    def _fits(self, plan: Horizon, images: int, images_seen: int) -> bool:
        """Check whether a plan is within the tolerance, or half a batch, of the expected ``images``."""
        return abs(plan.images - images) <= max(TOLERANCE * (images - images_seen), self._batch / 2)
