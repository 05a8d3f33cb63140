"""How many images a run will see by its end: estimated, and estimated again as its speed changes.

A plan is a ``Horizon``. Each goes on from the progress that was reached under the one before, so that rates
never jump, and only as many are made as it takes for the progress to come to 1 with the end of the time.
"""

import math
from collections import deque
from collections.abc import Sequence
from itertools import pairwise

from ganzfeld.runs.budget import Budget
from ganzfeld.runs.schedule import Horizon, horizon_at

TOLERANCE = 0.05
"""Of the images that are left, by which a plan may be wrong."""

SPACING = 1 / 8
"""Of the time or the progress that was left at a plan, as much must have gone before the next: so the number
of plans grows as the logarithm of the length of a run, whatever its speed does."""

LEAST_LEFT = 0.002
"""Of the progress, or of the time: with less left nothing can go wrong by more than this."""

WINDOW = 0.5
"""Of the time left: the speed during as much is expected to last. So a short stop weighs little, and near the
end the latest speed counts."""

LONGEST_WINDOW_S = 60.0
USUAL_WINDOW_S = 30.0
LEAST_STEPS = 4
FEW_STEPS = 8
MOST_NOTES = 500
LOOKS = 250
"""So many times while what is left grows less by a factor of e it is asked whether the plan is right."""

LEAST_MEASURED = 0.1
LEAST_MEASURED_S = 15.0
"""A speed is believed when it was measured for a tenth of the time left, or fifteen seconds."""


class Speedometer:
    """Images per second over the last half minute of training, or another time; not of the first step."""

    def __init__(self, longest_s: float = LONGEST_WINDOW_S) -> None:
        self._longest_s = longest_s
        self._notes: deque[tuple[int, float]] = deque()

    def note(self, images_seen: int, seconds: float) -> None:
        """Where the training stands now."""
        # Notes that lie closer are merged: some hundreds are enough for the longest window.
        if len(self._notes) > 1 and seconds - self._notes[-2][1] < self._longest_s / MOST_NOTES:
            self._notes.pop()
        self._notes.append((images_seen, seconds))
        while len(self._notes) > LEAST_STEPS + 1 and self._notes[1][1] <= seconds - self._longest_s:
            self._notes.popleft()

    @property
    def images_per_s(self) -> float:
        """The speed; 0 until there are two notes."""
        return self.over(USUAL_WINDOW_S)[0]

    def over(self, window_s: float) -> tuple[float, float]:
        """The speed over the last ``window_s`` seconds or the last step, and over how many seconds it is."""
        return _speed(self._steps(window_s, 1))

    def steady(self, window_s: float) -> tuple[float, float]:
        """The same but for the longest of some steps: a stop is no speed."""
        steps = self._steps(window_s, LEAST_STEPS)
        if len(steps) > 1:
            steps.remove(max(steps, key=lambda step: step[1]))
        return _speed(steps)

    def _steps(self, window_s: float, least: int) -> list[tuple[int, float]]:
        """Images and seconds of the steps in the last seconds, or of the last ones if these are few."""
        notes = list(self._notes)
        since = notes[-1][1] - window_s if notes else 0.0
        first = next((at for at, note in enumerate(notes) if note[1] >= since), 0)
        notes = notes[max(0, min(first, len(notes) - 1 - least)) :]
        return [(after[0] - before[0], after[1] - before[1]) for before, after in pairwise(notes)]


def _speed(steps: list[tuple[int, float]]) -> tuple[float, float]:
    """Images per second of some steps, and the seconds that they took."""
    images, took = (sum(step[at] for step in steps) for at in (0, 1))
    return (images / took, took) if took > 0 else (0.0, 0.0)


class Planner:
    """Says when a run with batches of that size needs a new horizon, and which.

    With a number of images alone it is known at once and stays. With minutes it follows the speed.
    """

    def __init__(self, budget: Budget, batch: int) -> None:
        self._budget, self._batch = budget, batch
        self.speed = Speedometer(min(LONGEST_WINDOW_S, 60 * (budget.minutes or 1.0)))
        self._look_at_s = math.inf
        """How many seconds are left at the next look."""
        self._left_at_plan = math.inf, math.inf
        """Seconds and progress that were left when this planner made its last plan."""

    def next(self, images_seen: int, seconds: float, horizons: Sequence[Horizon]) -> Horizon | None:
        """The horizon to go on with after so many images and seconds; None if that which counts is right.

        None too where a later one is there already: what a run repeats it repeats as it was. And where the
        plan is one that stays, as all were that an earlier version has made.
        """
        counts, budget = horizon_at(images_seen, horizons), self._budget
        if horizons and horizons[-1].since > images_seen:
            return None
        if counts is None and budget.images is not None:
            stays = budget.minutes is None and images_seen == 0
            return Horizon(images_seen, budget.images, None if stays else 0.0)
        if budget.minutes is None or (counts is not None and counts.progress is None):
            return None
        left_s, progress = 60 * budget.minutes - seconds, counts.at(images_seen) if counts else 0.0
        if not self._may_look(left_s, 1 - progress):
            return None
        images = self._expected(images_seen, seconds, left_s)
        if images is None or (counts is not None and self._fits(counts, images, images_seen)):
            return None
        self._left_at_plan = left_s, 1 - progress
        return Horizon(images_seen, images, progress)

    def _may_look(self, left_s: float, progress_left: float) -> bool:
        """Whether it is time to ask if the plan is right: not at every step, and not soon after another."""
        assert self._budget.minutes is not None
        if left_s > self._look_at_s:
            return False
        self._look_at_s = left_s * (1 - 1 / LOOKS)
        if progress_left < LEAST_LEFT or left_s < LEAST_LEFT * 60 * self._budget.minutes:
            return False
        seconds_before, progress_before = self._left_at_plan
        return max(1 - left_s / seconds_before, 1 - progress_left / progress_before) >= SPACING

    def _expected(self, images_seen: int, seconds: float, left_s: float) -> int | None:
        """Images after which the last step will begin; None if that cannot be said now."""
        window_s = min(WINDOW * left_s, LONGEST_WINDOW_S)
        speed, measured_s = self.speed.over(window_s)
        if measured_s < min(LEAST_MEASURED * left_s, LEAST_MEASURED_S):
            return None
        # Where few steps may be left there is no time to find out whether a long one was but a stop.
        if speed * left_s > FEW_STEPS * self._batch:
            speed, _ = self.speed.steady(window_s)
        end = self._budget.horizon(images_seen - self._batch, seconds, speed)
        return max(images_seen + 1, end) if end and speed > 0 else None

    def _fits(self, plan: Horizon, images: int, images_seen: int) -> bool:
        """Whether a plan is about right where so many images are expected: by a share, or half a step."""
        return abs(plan.images - images) <= max(TOLERANCE * (images - images_seen), self._batch / 2)
