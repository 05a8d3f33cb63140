"""Hinge: logits beyond a margin of 1 cost nothing (Lim & Ye 2017; Miyato et al. 2018, eq. 16)."""

from torch import Tensor
from torch.nn.functional import relu

from ganzfeld.losses import Targets

PAIRED = False
NO_SMOOTHING = "it has a margin and no targets between 0 and 1"
NO_SIDES = NO_SMOOTHING
NO_TEMPERATURE = "it has no sigmoid; a temperature would only change the margin"


def discriminator(real: Tensor, fake: Tensor, targets: Targets) -> Tensor:
    """Compute the mean of max(0, 1 - real) + max(0, 1 + fake)."""
    return (relu(1 - real) + relu(1 + fake)).mean()


def generator(real: Tensor | None, fake: Tensor) -> Tensor:
    """Compute the mean of -fake."""
    return -fake.mean()
