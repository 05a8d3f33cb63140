"""Wasserstein: the difference of mean logits (Arjovsky et al. 2017).

It measures a distance only if the discriminator is Lipschitz: use it with the stabiliser ``wgan-gp`` or with
spectral normalisation.
"""

from torch import Tensor

from ganzfeld.losses import Targets

PAIRED = False
NO_SMOOTHING = "its critic has no targets"
NO_SIDES = NO_SMOOTHING
NO_TEMPERATURE = "it is linear in the logit; a temperature would only rescale the loss"


def discriminator(real: Tensor, fake: Tensor, targets: Targets) -> Tensor:
    """Compute the mean of fake - real."""
    return (fake - real).mean()


def generator(real: Tensor | None, fake: Tensor) -> Tensor:
    """Compute the mean of -fake."""
    return -fake.mean()
