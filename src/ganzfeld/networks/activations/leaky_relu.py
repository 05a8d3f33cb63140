"""LeakyReLU: a where a > 0, slope a elsewhere (Maas et al. 2013)."""

from torch import nn


def activation(slope: float) -> nn.Module:
    """Return the module; ``slope`` is the slope for negative values, 0.2 in Radford et al. 2015."""
    return nn.LeakyReLU(slope)
