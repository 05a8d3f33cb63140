"""SiLU: a sigmoid(a), also called swish (Elfwing et al. 2017)."""

from torch import nn


def activation(slope: float) -> nn.Module:
    """Return the module; ``slope`` is not used."""
    return nn.SiLU()
