"""No bound at all: images are clipped only where they are written as bytes."""

from torch import nn


def output() -> nn.Module:
    """The module."""
    return nn.Identity()
