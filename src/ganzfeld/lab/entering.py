"""The inputs of the layers of a network in a forward pass."""

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase

from ganzfeld.lab.live import Live
from ganzfeld.networks.activations import activations

PASS = 256
"""Number of images that go through a network at a time."""


def entering(network: nn.Module, layers: Sequence[nn.Module], batch: Tensor) -> list[Tensor]:
    """Return the input of each of these ``layers`` of a network in one forward pass of ``batch``, in their
    order.

    Inputs keep their history for autograd if gradients are on. Buffers change as in any pass.
    """
    inputs_by_layer: dict[int, Tensor] = {}
    hooks = [
        layer.register_forward_pre_hook(
            lambda module, inputs: inputs_by_layer.__setitem__(id(module), inputs[0])
        )
        for layer in layers
    ]
    try:
        network(batch)
    finally:
        for hook in hooks:
            hook.remove()
    return [inputs_by_layer[id(layer)] for layer in layers]


def activation_modules(network: nn.Module, activation: str) -> list[nn.Module]:
    """Return the modules of a network's hidden activation, which its recipe names."""
    kind = type(activations.load(activation).activation(0.2))
    return [module for module in network.modules() if isinstance(module, kind)]


def norm_modules(network: nn.Module) -> list[nn.Module]:
    """Return the modules of a network that normalise maps, of every kind."""
    return [module for module in network.modules() if isinstance(module, _NormBase | nn.GroupNorm)]


@torch.no_grad()
def live_maps(
    live: Live,
    side: str,
    num: int,
    *,
    stage: int | None = None,
    norms: bool = False,
    together: int = PASS,
    generated: bool = False,
) -> list[Tensor]:
    """Return the inputs of the hidden activations of one network as it trains, each (num, C, *size).

    ``side`` is "generator", which gets latents, or "discriminator", which gets real images; ``together`` of
    them go through it at a time. ``norms``: the inputs of its normalisations instead, if it has any.
    ``generated``: a discriminator gets images of the generator of that stage in place of real ones.
    """
    gan = live.trainer(stage).gan
    network: nn.Module = getattr(gan, side)
    layers = norm_modules(network) if norms else []
    layers = layers or activation_modules(network, getattr(live.recipe, side).activation)
    batch = live.real(num) if side == "discriminator" and not generated else live.latents(num)
    parts: Iterable[Tensor] = batch.split(together)
    if side == "discriminator" and generated:
        parts = map(gan.generator, parts)
    passes = [entering(network, layers, part) for part in parts]
    return [torch.cat(maps).float() for maps in zip(*passes, strict=True)]
