"""The base class of conditions: a condition changes either the discriminator's input or its logits."""

from torch import Tensor, nn

from ganzfeld.networks.blocks import ClassVectors


class Condition(nn.Module):
    """A part of the discriminator with one learnt vector per class. Labels (B,) count from 0."""

    def __init__(self, num_classes: int, size: int, deviation: float) -> None:
        super().__init__()
        self.vectors = ClassVectors(num_classes, size, deviation)

    def add_planes(self, images: Tensor, labels: Tensor) -> Tensor:
        """Add planes to images (B, C, *size); return the first layer's input, (B, C + PLANES, *size)."""
        return images

    def adjust_logits(self, logits: Tensor, features: Tensor, labels: Tensor) -> Tensor:
        """Return the logits (B,) with the part that the features (B, n) contribute for the class."""
        return logits
