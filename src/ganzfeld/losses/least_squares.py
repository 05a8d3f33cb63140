"""Least squares: logits are regressed on their targets (Mao et al. 2017, eq. 2 with a = 0, b = c = 1)."""

from torch import Tensor

from ganzfeld.losses import Targets

PAIRED = False
NO_SMOOTHING = ""
NO_SIDES = ""
NO_TEMPERATURE = "its targets are values of the logit itself, so a temperature only rescales the last layer"


def discriminator(real: Tensor, fake: Tensor, targets: Targets) -> Tensor:
    """Compute half the mean squared distance of the logits from their targets, added over both sides."""
    return ((real - targets.real).square() + (fake - targets.fake).square()).mean() / 2


def generator(real: Tensor | None, fake: Tensor) -> Tensor:
    """Compute half the mean squared distance of the generated images' logits from 1."""
    return (fake - 1).square().mean() / 2
