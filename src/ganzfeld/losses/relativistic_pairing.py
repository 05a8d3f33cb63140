"""Relativistic pairing: is the real image of a pair more real than the generated one?

Source: Jolicoeur-Martineau 2018; with R1 and R2, Huang et al. 2024.

The i-th real image is paired with the i-th generated one; the logit of a pair is the difference of two.
"""

from torch import Tensor
from torch.nn.functional import softplus

from ganzfeld.losses import Targets
from ganzfeld.losses._cross_entropy import cross_entropy

PAIRED = True
NO_SMOOTHING = ""
NO_SIDES = "a pair has one logit and so one target"
NO_TEMPERATURE = ""


def discriminator(real: Tensor, fake: Tensor, targets: Targets) -> Tensor:
    """Mean cross-entropy of the pair's logit, real - fake, against the target of real images."""
    return cross_entropy(real - fake, targets.real).mean()


def generator(real: Tensor | None, fake: Tensor) -> Tensor:
    """Mean of softplus(real - fake): the generator wants the pair turned around."""
    assert real is not None, "a paired loss is called with the logits of real images"
    return softplus(real - fake).mean()
