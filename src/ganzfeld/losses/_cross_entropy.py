"""The discriminator loss of the classical losses: binary cross-entropy of logits against soft targets.

With target y, the gradient with respect to the logit is D - y.
"""

from torch import Tensor
from torch.nn.functional import softplus

from ganzfeld.losses import Targets


def cross_entropy(logits: Tensor, target: float) -> Tensor:
    """Compute -y log D - (1 - y) log(1 - D) per image, without computing D, so it is never infinite."""
    return target * softplus(-logits) + (1 - target) * softplus(logits)


def discriminator(real: Tensor, fake: Tensor, targets: Targets) -> Tensor:
    """Add the mean cross-entropies of real and of generated images (Goodfellow et al. 2014, eq. 1)."""
    return (cross_entropy(real, targets.real) + cross_entropy(fake, targets.fake)).mean()
