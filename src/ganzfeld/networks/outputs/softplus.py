"""Positive numbers without an upper bound: log(1 + exp(a)), which is a itself far above 0."""

import math

from torch import nn

INTERVAL = (0.0, math.inf)


def output() -> nn.Module:
    """Return the module."""
    return nn.Softplus()
