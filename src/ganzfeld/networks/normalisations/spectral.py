"""Spectral normalisation: weights divided by their largest singular value (Miyato et al. 2018).

The value comes from one step of power iteration at every forward pass in training mode.
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
    """The layer with every weight inside it constrained; an already constrained weight stays as it is."""
    for module in list(layer.modules()):
        if isinstance(getattr(module, "weight", None), nn.Parameter):
            spectral_norm(module)
    return [layer]


SETTLING_STEPS = 50


@torch.no_grad()
def settle(network: nn.Module) -> None:
    """Find the largest singular values anew, for weights that were set and not trained.

    The power iteration goes on from vectors that belong to earlier weights: after weights were drawn or
    averaged, one step of it is not enough. A network without constrained weights is left as it is.
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
    """Put constrained weights themselves in the place of their constraint, for a network that is not trained.

    Outputs stay the same to the last bit. Only without the constraint can torch script or pickle a module.
    """
    for module in list(network.modules()):
        if parametrize.is_parametrized(module, "weight"):
            parametrize.remove_parametrizations(module, "weight")
