"""ELU: a where a > 0, exp(a) - 1 elsewhere (Clevert et al. 2016)."""

from torch import nn


def activation(slope: float) -> nn.Module:
    """Return the module; ``slope`` is not used."""
    return nn.ELU()
