"""Concatenation: planes that hold one value a class each are laid beside the channels of the image.

Source: Mirza & Osindero 2014, *Conditional generative adversarial nets*, in its convolutional form. The
planes are learnt and few, so the first layer costs the same for ten classes and for a thousand.
"""

from typing import final

import torch
from torch import Tensor

from ganzfeld.networks.conditions._base import Condition

PLANES = 4


@final
class Concatenation(Condition):
    """``PLANES`` numbers a class, drawn from N(0, 1), which is the size of values of images."""

    def __init__(self, num_classes: int) -> None:
        super().__init__(num_classes, PLANES, deviation=1.0)

    def beside(self, images: Tensor, labels: Tensor) -> Tensor:
        """Images (B, C, *size) and the planes of their classes, (B, C + PLANES, *size)."""
        planes = self.vectors(labels).view(-1, PLANES, *[1] * (images.dim() - 2))
        return torch.cat((images, planes.expand(-1, -1, *images.shape[2:])), 1)


def condition(num_classes: int, num_features: int) -> Condition:
    """The part of the network."""
    return Concatenation(num_classes)
