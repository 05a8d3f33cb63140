"""What enters the layers of a network on its way through."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase

from ganzfeld.lab.live import Live
from ganzfeld.networks.activations import activations

PASS = 256
"""Images that go through a network at a time."""


def entering(network: nn.Module, layers: Sequence[nn.Module], batch: Tensor) -> list[Tensor]:
    """Return what enters each of these ``layers`` of a network in one forward pass of ``batch``, in their
    order.

    With its history for autograd, if the pass is made with gradients. Buffers change as in any pass.
    """
    seen: dict[int, Tensor] = {}
    hooks = [
        layer.register_forward_pre_hook(lambda module, inputs: seen.__setitem__(id(module), inputs[0]))
        for layer in layers
    ]
    try:
        network(batch)
    finally:
        for hook in hooks:
            hook.remove()
    return [seen[id(layer)] for layer in layers]


def activation_modules(network: nn.Module, activation: str) -> list[nn.Module]:
    """Return the hidden activations of a network whose recipe names this one."""
    kind = type(activations.load(activation).activation(0.2))
    return [module for module in network.modules() if isinstance(module, kind)]


def norm_modules(network: nn.Module) -> list[nn.Module]:
    """Return the modules of a network that normalise maps, of whichever kind."""
    return [module for module in network.modules() if isinstance(module, _NormBase | nn.GroupNorm)]


@torch.no_grad()
def live_maps(
    live: Live, side: str, num: int, *, stage: int | None = None, norms: bool = False, together: int = PASS
) -> list[Tensor]:
    """Return what enters the hidden activations of one of the networks as it trains, each (num, C, *size): of
    the generator at latents, of the discriminator at real images, ``together`` of them at a time.

    ``norms``: what enters its normalisations, if it has any.
    """
    network: nn.Module = getattr(live.trainer(stage).gan, side)
    layers = norm_modules(network) if norms else []
    layers = layers or activation_modules(network, getattr(live.recipe, side).activation)
    batch = live.real(num) if side == "discriminator" else live.latents(num)
    passes = [entering(network, layers, part) for part in batch.split(together)]
    return [torch.cat(parts).float() for parts in zip(*passes, strict=True)]
