"""What the class of a picture may change in the discriminator; each entry does one of the two."""

from torch import Tensor, nn


class Condition(nn.Module):
    """Base of the parts that know of classes. Labels (B,) are whole numbers from 0 on."""

    def beside(self, pictures: Tensor, labels: Tensor) -> Tensor:
        """What the first layer is given instead of ``pictures`` (B, C, *size): (B, C + PLANES, *size)."""
        return pictures

    def weighed(self, logits: Tensor, features: Tensor, labels: Tensor) -> Tensor:
        """The logits (B,) after what ``features`` (B, n), from which they come, say for the class."""
        return logits
