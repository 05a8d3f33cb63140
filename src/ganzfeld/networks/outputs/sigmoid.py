"""The logistic function, stretched from (0, 1) to the range of images: 2 sigmoid(a) - 1 = tanh(a / 2)."""

import torch
from torch import Tensor, nn

INTERVAL = (-1.0, 1.0)


class StretchedSigmoid(nn.Module):
    """2 sigmoid(a) - 1."""

    def forward(self, preactivation: Tensor) -> Tensor:
        """Apply the function elementwise, to any shape."""
        return 2 * torch.sigmoid(preactivation) - 1


def output() -> nn.Module:
    """Return the module."""
    return StretchedSigmoid()
