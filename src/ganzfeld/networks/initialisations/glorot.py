"""Between what keeps the size on the way forward and on the way back (Glorot and Bengio 2010, eq. 12)."""

import math


def deviation(fan_in: float, fan_out: float, passed: float) -> float:
    """Return the deviation for the mean of both numbers; the activation does not count."""
    return math.sqrt(2 / (fan_in + fan_out))
