"""One function or layer by itself: slopes, and a normalisation of the maps it is given."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from ganzfeld.networks.normalisations import normalisations


def slope_of(function: Callable[[Tensor], Tensor], at: Tensor) -> Tensor:
    """Return the slope of an elementwise function at every number of ``at`` by autograd, in the shape and
    precision of ``at``.
    """
    at = at.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(function(at).sum(), at)
    return gradient


def central_difference(function: Callable[[Tensor], Tensor], at: Tensor, step: float) -> Tensor:
    """Return the slope of an elementwise function at every number of ``at`` by central differences."""
    return (function(at + step) - function(at - step)) / (2 * step)


def couples_positions(normalisation: str) -> bool:
    """Tell whether a normalisation takes statistics over the positions of an image: then every output depends
    on the whole image, however far the kernels reach.
    """
    return normalisation in ("instance", "layer", "group")


def norm_of_maps(name: str, channels: int) -> nn.Module:
    """Build a normalisation of the catalogue for maps (N, ``channels``, H, W), in float64, with no layer
    before it.
    """
    return nn.Sequential(*normalisations.load(name).normalise(nn.Identity(), channels, 2)).double()
