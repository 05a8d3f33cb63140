"""Student's t distribution: how wide an interval is when its error was itself estimated from few values."""

import math
from functools import lru_cache
from statistics import NormalDist

LEVEL = 0.99
"""The probability with which an interval covers the true value."""

_NEARLY_NORMAL = 1e5
"""Degrees of freedom from which one term beyond the normal distribution is exact to nine digits."""


def tail(t: float, dof: float) -> float:
    """Return the probability that Student's t with ``dof`` degrees of freedom exceeds ``t``.

    It is I_x(dof/2, 1/2)/2 with x = dof/(dof + t^2), the regularised incomplete beta function, for t >= 0.
    """
    if dof >= _NEARLY_NORMAL:
        return math.erfc((t - (t**3 + t) / (4 * dof)) / math.sqrt(2)) / 2
    beyond = _incomplete_beta(dof / 2, 0.5, dof / (dof + t * t), t * t / (dof + t * t)) / 2
    return beyond if t >= 0 else 1 - beyond


@lru_cache(maxsize=4096)
def quantile(probability: float, dof: float) -> float:
    """Return the t that Student's t with ``dof`` degrees of freedom stays below with this ``probability``.

    ``dof`` is any positive number, infinite for a normal distribution. Raises ``ValueError`` for a
    probability outside (0, 1) or degrees of freedom that are not positive.

    >>> round(quantile(0.995, 4), 3)
    4.604
    """
    if not 0 < probability < 1:
        raise ValueError(f"a probability is between 0 and 1, not {probability}")
    if not dof > 0:
        raise ValueError(f"degrees of freedom are above 0, not {dof}")
    if dof >= _NEARLY_NORMAL:
        normal = NormalDist().inv_cdf(probability)
        return normal + (normal**3 + normal) / (4 * dof)
    if probability < 0.5:
        return -quantile(1 - probability, dof)
    wanted, low, high = 1 - probability, 0.0, 1.0
    while tail(high, dof) > wanted:
        low, high = high, 2 * high
    while high - low > 1e-14 * high:
        middle = (low + high) / 2
        if middle in (low, high):
            break
        low, high = (middle, high) if tail(middle, dof) > wanted else (low, middle)
    return (low + high) / 2


def half_width(error: float, dof: float, level: float = LEVEL) -> float:
    """Return half the width of the interval at ``level`` around a value with this standard error.

    0 where the error is 0; NaN without degrees of freedom, where nothing is known of the spread.
    """
    if error == 0:
        return 0.0
    return quantile((1 + level) / 2, dof) * error if dof > 0 and math.isfinite(error) else math.nan


def welch(error: float, dof: float, other: float, other_dof: float) -> float:
    """Return the degrees of freedom of the difference of two independent estimates, from their standard
    errors (Welch 1947).
    """
    square, other_square = error**2, other**2
    spread = (square**2 / dof if square else 0.0) + (other_square**2 / other_dof if other_square else 0.0)
    return (square + other_square) ** 2 / spread if spread else math.inf


def _incomplete_beta(a: float, b: float, x: float, rest: float) -> float:
    """Return I_x(a, b), where ``rest`` is 1 - x without the loss by subtraction."""
    if x <= 0 or rest <= 0:
        return 0.0 if x <= 0 else 1.0
    if x > (a + 1) / (a + b + 2):
        return 1 - _incomplete_beta(b, a, rest, x)
    log_front = a * math.log(x) + b * math.log(rest) + math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)
    return math.exp(log_front) / a * _continued_fraction(a, b, x)


def _continued_fraction(a: float, b: float, x: float) -> float:
    """Return the continued fraction of the incomplete beta function by Lentz's method (Abramowitz and Stegun
    26.5.8).
    """
    tiny = 1e-300
    numerator, denominator = 1.0, 1 / (1 - (a + b) * x / (a + 1) or tiny)
    value = denominator
    for place in range(1, 10_000):
        even = place * (b - place) * x / ((a + 2 * place - 1) * (a + 2 * place))
        odd = -(a + place) * (a + b + place) * x / ((a + 2 * place) * (a + 2 * place + 1))
        for term in (even, odd):
            denominator = 1 / (1 + term * denominator or tiny)
            numerator = 1 + term / numerator or tiny
            value *= denominator * numerator
        if abs(denominator * numerator - 1) < 1e-16:
            break
    return value
