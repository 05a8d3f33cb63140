"""No bound: images are clipped only when they are converted to bytes."""

from torch import nn


def output() -> nn.Module:
    """Return the module."""
    return nn.Identity()
