"""Intervals: how far a figure may be from what endless images would give, with 95 % probability.

They hold what chance does to the images of both sides. They do not hold the bias of a measure, nor what
another training with another seed would give.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

NORMAL_95 = 1.959964
GROUPS = 10
STUDENT_95 = 2.262157
"""Of Student's distribution with one degree of freedom less than there are groups."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A number with the limits of its interval, and the standard error that they come from."""

    name: str
    value: float
    low: float
    high: float
    error: float


def plain(
    name: str, value: float, error: float, *, least: float = -math.inf, z: float = STUDENT_95
) -> Figure:
    """A figure whose interval is as far to either side, but does not reach below ``least``."""
    return Figure(name, value, max(least, value - z * error), value + z * error, error)


def share(name: str, value: float, error: float, num: int) -> Figure:
    """A share from 0 to 1, found among ``num`` images, with Wilson's interval.

    As many images are counted as would have this error if each were drawn by itself, at most ``num``: so a
    share of 0 or 1, whose error seems to be 0, is not taken for certain.
    """
    spread = value * (1 - value)
    count = min(float(num), spread / error**2) if error > 0 and spread > 0 else float(num)
    count = max(count, 1.0)
    z2 = STUDENT_95**2 / count
    centre = (value + z2 / 2) / (1 + z2)
    half = math.sqrt(z2 * spread + z2**2 / 4) / (1 + z2)
    low, high = max(0.0, centre - half), min(1.0, centre + half)
    return Figure(name, value, min(low, value), max(high, value), error)


def jackknife(
    compute: Callable[[np.ndarray, np.ndarray], list[float]], numbers: Sequence[int], seed: int
) -> tuple[list[float], list[float]]:
    """Values of a measure, and their standard errors by leaving out a tenth of both sides at a time.

    ``compute(generated, real)`` gives the values on the images with these indices; ``numbers`` are those of
    all generated and all real ones. Which are left out together is drawn from ``seed``. Both sides are drawn
    by themselves, so what leaving out a part of each does adds up. Source: Shao and Tu 1995, section 2.3.
    """
    random = np.random.default_rng(seed)
    tenths = [np.array_split(random.permutation(number), GROUPS) for number in numbers]
    whole = compute(*map(np.arange, numbers))
    without = np.array(
        [
            compute(
                *(np.setdiff1d(np.arange(number), part) for number, part in zip(numbers, parts, strict=True))
            )
            for parts in zip(*tenths, strict=True)
        ]
    )
    with np.errstate(invalid="ignore"):  # what is infinite has an error that nobody knows
        deviations = without - without.mean(0)
    return whole, np.sqrt((GROUPS - 1) / GROUPS * (deviations**2).sum(0)).tolist()
