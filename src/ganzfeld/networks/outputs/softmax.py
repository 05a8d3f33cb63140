"""Shares of one whole: the softmax over the channels of every cell, for letters."""

from torch import Tensor

from ganzfeld.networks.outputs._shares import AcrossChannels

INTERVAL = (0.0, 1.0)
SUMS_TO_ONE = True


class Softmax(AcrossChannels):
    """exp(a) over its sum."""

    def forward(self, preactivation: Tensor) -> Tensor:
        """Map (B, channels, *size) to shares."""
        return preactivation.softmax(1)


def output() -> Softmax:
    """Return the module."""
    return Softmax()
