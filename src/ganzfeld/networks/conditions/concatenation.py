"""Concatenation: constant planes, with learnt values per class, are added to the channels of the image.

Source: Mirza & Osindero 2014, *Conditional generative adversarial nets*, in its convolutional form. The
number of planes is small and fixed, so the first layer costs the same for ten classes and for a thousand.
"""

from typing import final

import torch
from torch import Tensor

from ganzfeld.networks.conditions._base import Condition

PLANES = 4


@final
class Concatenation(Condition):
    """``PLANES`` numbers per class, drawn from N(0, 1), the scale of image values."""

    def __init__(self, num_classes: int) -> None:
        super().__init__(num_classes, PLANES, deviation=1.0)

    def add_planes(self, images: Tensor, labels: Tensor) -> Tensor:
        """Add the planes of their classes to images (B, C, *size): (B, C + PLANES, *size)."""
        planes = self.vectors(labels).view(-1, PLANES, *[1] * (images.dim() - 2))
        return torch.cat((images, planes.expand(-1, -1, *images.shape[2:])), 1)


def condition(num_classes: int, num_features: int) -> Condition:
    """Return the part of the network."""
    return Concatenation(num_classes)
