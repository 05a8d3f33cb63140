"""The discriminator's side of the classical losses: binary cross-entropy against soft targets, from logits.

With target y the gradient with respect to the logit is D - y.
"""

from torch import Tensor
from torch.nn.functional import softplus

from ganzfeld.losses import Targets


def cross_entropy(logits: Tensor, target: float) -> Tensor:
    """-y log D - (1 - y) log(1 - D), per image; never infinite, since it never forms D."""
    return target * softplus(-logits) + (1 - target) * softplus(logits)


def discriminator(real: Tensor, fake: Tensor, targets: Targets) -> Tensor:
    """Mean cross-entropy of real images plus that of generated ones (Goodfellow et al. 2014, eq. 1)."""
    return (cross_entropy(real, targets.real) + cross_entropy(fake, targets.fake)).mean()
