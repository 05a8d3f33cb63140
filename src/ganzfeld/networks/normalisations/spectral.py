"""Spectral normalisation: weights divided by their largest singular value (Miyato et al. 2018).

The value is estimated by one step of power iteration at every forward pass in training mode.
"""

from typing import Any

import torch
from torch import nn
from torch.nn.utils import parametrize
from torch.nn.utils.parametrizations import spectral_norm

ACROSS_IMAGES = False
ON_WEIGHTS = True
CENTRES = False


def normalise(layer: nn.Module, channels: int, dims: int) -> list[nn.Module]:
    """Constrain every weight inside the layer, except weights that already are; return the layer."""
    for module in list(layer.modules()):
        if isinstance(getattr(module, "weight", None), nn.Parameter):
            spectral_norm(module)
    return [layer]


SETTLING_STEPS = 50


@torch.no_grad()
def settle(network: nn.Module) -> None:
    """Estimate the largest singular values again, after weights were set rather than trained.

    The power iteration starts from vectors of the earlier weights, so one step is not enough after weights
    were drawn or averaged. Does nothing to a network without constrained weights.
    """
    for module in network.modules():
        if parametrize.is_parametrized(module, "weight"):
            _settle_weight(module.parametrizations)


def _settle_weight(parametrisations: Any) -> None:
    (constraint,) = parametrisations.weight
    training = constraint.training
    constraint.train()
    for _ in range(SETTLING_STEPS):
        constraint(parametrisations.weight.original)
    constraint.train(training)


def fold(network: nn.Module) -> None:
    """Replace the constraints by the constrained weights, in a network that is no longer trained.

    The outputs stay the same to the last bit. torch can script or pickle a module only without constraints.
    """
    for module in list(network.modules()):
        if parametrize.is_parametrized(module, "weight"):
            parametrize.remove_parametrizations(module, "weight")
