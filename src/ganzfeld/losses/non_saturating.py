"""Non-saturating: the generator maximises log D (Goodfellow et al. 2014, section 3).

Its gradient with respect to the logit is -(1 - D), which is largest where the generator is worst.
"""

from torch import Tensor
from torch.nn.functional import softplus

from ganzfeld.losses._cross_entropy import discriminator

__all__ = ["discriminator", "generator"]

PAIRED = False
NO_SMOOTHING = ""
NO_SIDES = ""
NO_TEMPERATURE = ""


def generator(real: Tensor | None, fake: Tensor) -> Tensor:
    """Compute the mean of -log D = softplus(-logit)."""
    return softplus(-fake).mean()
