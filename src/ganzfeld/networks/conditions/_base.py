"""What the class of an image may change in the discriminator; each entry does one of the two."""

from torch import Tensor, nn

from ganzfeld.networks.blocks import ClassVectors


class Condition(nn.Module):
    """Base of the parts that know of classes, by one learnt vector each. Labels (B,) count from 0."""

    def __init__(self, num_classes: int, size: int, deviation: float) -> None:
        super().__init__()
        self.vectors = ClassVectors(num_classes, size, deviation)

    def beside(self, images: Tensor, labels: Tensor) -> Tensor:
        """What the first layer is given instead of ``images`` (B, C, *size): (B, C + PLANES, *size)."""
        return images

    def weighed(self, logits: Tensor, features: Tensor, labels: Tensor) -> Tensor:
        """The logits (B,) after what ``features`` (B, n), from which they come, say for the class."""
        return logits
