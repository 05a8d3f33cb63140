"""One letter per cell, drawn from the softmax: 1 in the channel of the letter, 0 in the others.

The discriminator thus sees what real sequences are, and cannot tell them by their sharpness. Gradients are
those of the softmax (straight-through Gumbel softmax; Jang, Gu and Poole 2017).
"""

import torch
from torch import Tensor

from ganzfeld.networks.outputs._shares import AcrossChannels

INTERVAL = (0.0, 1.0)
SUMS_TO_ONE = True
DRAWS = True


class Hardmax(AcrossChannels):
    """The greatest channel, with the gradient of the softmax."""

    def forward(self, preactivation: Tensor) -> Tensor:
        """Map (B, channels, *size), to which noise was added, to zeros and ones."""
        soft = preactivation.softmax(1)
        hard = torch.zeros_like(soft).scatter(1, soft.argmax(1, keepdim=True), 1.0)
        return hard + (soft - soft.detach())


def output() -> Hardmax:
    """Return the module."""
    return Hardmax()
