"""Relativistic pairing: the discriminator decides which image of a pair is the real one.

Source: Jolicoeur-Martineau 2018; with R1 and R2, Huang et al. 2024.

The i-th real image is paired with the i-th generated image; the logit of a pair is the difference of the two.
"""

from torch import Tensor
from torch.nn.functional import softplus

from ganzfeld.losses import Targets
from ganzfeld.losses._cross_entropy import cross_entropy

PAIRED = True
NO_SMOOTHING = ""
NO_SIDES = "a pair has one logit and therefore one target"
NO_TEMPERATURE = ""


def discriminator(real: Tensor, fake: Tensor, targets: Targets) -> Tensor:
    """Compute the mean cross-entropy of the pair's logit, real - fake, against the target of real images."""
    return cross_entropy(real - fake, targets.real).mean()


def generator(real: Tensor | None, fake: Tensor) -> Tensor:
    """Compute the mean of softplus(real - fake): the generator's target is the opposite order of the pair."""
    assert real is not None, "a paired loss needs the logits of real images"
    return softplus(real - fake).mean()
