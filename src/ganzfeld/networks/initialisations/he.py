"""Of one size from layer to layer on the way forward, after any activation (He et al. 2015, section 2.2)."""

import math


def deviation(fan_in: float, fan_out: float, passed: float) -> float:
    """Return the deviation that gives outputs the mean square that the inputs had before their activation."""
    return 1 / math.sqrt(passed * fan_in)
