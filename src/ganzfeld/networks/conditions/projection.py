"""Projection: the inner product of the features and a class vector is added to the logit.

Source: Miyato & Koyama 2018, *cGANs with projection discriminator*, eq. 3, where phi are the features before
the logit. The logit is the sum of a term for "real" and a term for "of its class".
"""

from typing import final

from torch import Tensor

from ganzfeld.networks.conditions._base import Condition

PLANES = 0


@final
class Projection(Condition):
    """One vector per class, as long as the features, drawn like the weights of the logit."""

    def __init__(self, num_classes: int, num_features: int) -> None:
        super().__init__(num_classes, num_features, deviation=0.02)

    def adjust_logits(self, logits: Tensor, features: Tensor, labels: Tensor) -> Tensor:
        """Add to each logit the inner product of the image's features and its class vector."""
        return logits + (self.vectors(labels) * features).sum(1)


def condition(num_classes: int, num_features: int) -> Condition:
    """Return the part of the network."""
    return Projection(num_classes, num_features)
