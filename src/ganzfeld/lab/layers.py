"""One layer by itself: the slope of an activation, and a normalisation of maps as they are."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from ganzfeld.networks.normalisations import normalisations


def slope_of(function: Callable[[Tensor], Tensor], at: Tensor) -> Tensor:
    """Return the slope of an elementwise function at every number of ``at``, in its shape and precision, as
    autograd has it.
    """
    at = at.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(function(at).sum(), at)
    return gradient


def couples_positions(normalisation: str) -> bool:
    """Tell whether a normalisation takes statistics over the positions of an image: then every output depends
    on all of it, whatever the kernels reach.
    """
    return normalisation in ("instance", "layer", "group")


def norm_of_maps(name: str, channels: int) -> nn.Module:
    """Build a normalisation of the catalogue for maps (N, ``channels``, H, W) as they are, in float64."""
    return nn.Sequential(*normalisations.load(name).normalise(nn.Identity(), channels, 2)).double()
