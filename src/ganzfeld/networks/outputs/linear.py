"""No bound: images are clipped only when they are converted to bytes."""

import math

from torch import nn

INTERVAL = (-math.inf, math.inf)


def output() -> nn.Module:
    """Return the module."""
    return nn.Identity()
