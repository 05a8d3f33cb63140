"""Projection: the logit gains the product of the features and a vector of the class.

Source: Miyato & Koyama 2018, *cGANs with projection discriminator*, eq. 3, where phi are the features before
the logit. What makes an image real and what makes it one of its class are added up.
"""

from typing import final

from torch import Tensor

from ganzfeld.networks.conditions._base import Condition

PLANES = 0


@final
class Projection(Condition):
    """One vector a class, as long as the features; drawn as the weights of the logit are."""

    def __init__(self, num_classes: int, num_features: int) -> None:
        super().__init__(num_classes, num_features, deviation=0.02)

    def weighed(self, logits: Tensor, features: Tensor, labels: Tensor) -> Tensor:
        """The logits plus, for each image, the product of its features with the vector of its class."""
        return logits + (self.vectors(labels) * features).sum(1)


def condition(num_classes: int, num_features: int) -> Condition:
    """The part of the network."""
    return Projection(num_classes, num_features)
