"""Minimax: the generator minimises log(1 - D) (Goodfellow et al. 2014, eq. 1).

Its gradient with respect to the logit is -D, which vanishes exactly where the generator is worst.
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
    """Compute the mean of log(1 - D) = -softplus(logit)."""
    return -softplus(fake).mean()
