"""Intervals: the range in which a figure would lie with unlimited images, with 95 % probability.

They cover the chance in choosing the images of both sides. They do not cover the bias of a measure, nor the
variation between runs with different seeds.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

NORMAL_95 = 1.959964
GROUPS = 10
STUDENT_95 = 2.262157
"""The 97.5 % quantile of Student's distribution, with ``GROUPS`` - 1 degrees of freedom."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A number, the bounds of its interval, and the standard error that they come from."""

    name: str
    value: float
    low: float
    high: float
    error: float


def plain(
    name: str, value: float, error: float, *, least: float = -math.inf, z: float = STUDENT_95
) -> Figure:
    """Return a figure with a symmetric interval that does not reach below ``least``."""
    return Figure(name, value, max(least, value - z * error), value + z * error, error)


def share(name: str, value: float, error: float, num: int) -> Figure:
    """Return a share from 0 to 1, measured on ``num`` images, with Wilson's interval.

    It is the interval for n independent images, with n chosen to give this standard error, at most ``num``.
    So a share of 0 or 1, whose standard error seems to be 0, does not count as certain.
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
    """Return the values of a measure and their standard errors, by the delete-a-group jackknife.

    ``compute(generated, real)`` returns the values for the images with these indices. ``numbers`` holds the
    number of generated and of real images. A tenth of both sides is left out at a time; ``seed`` decides how
    images are grouped. The two sides are independent, so the effects of leaving out a part of each add up.
    Source: Shao and Tu 1995, section 2.3.
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
    with np.errstate(invalid="ignore"):  # the error of an infinite value is not known
        deviations = without - without.mean(0)
    return whole, np.sqrt((GROUPS - 1) / GROUPS * (deviations**2).sum(0)).tolist()
