"""Passes through live networks that leave no trace: no buffer, no gradient, no random state is changed."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.modules.batchnorm import _BatchNorm

from ganzfeld.networks import Discriminator, Generator


@dataclass(frozen=True)
class ForwardTrace:
    """What one pass showed.

    ``output`` is the network's. ``first`` (B, C, *size) is the map after the first hidden activation, for a
    generator the seed map. ``spans`` holds for every hidden layer by how much each channel (C,) varies over
    images and positions, largest less smallest activation, as a share of the same over the whole layer.
    """

    output: Tensor
    first: Tensor
    spans: tuple[Tensor, ...]


def look(network: Generator | Discriminator, given: Tensor, labels: Tensor | None = None) -> ForwardTrace:
    """One pass of ``given`` (with classes, of ``labels``) through the network as it stands."""
    maps: list[Tensor] = []
    spans: list[Tensor] = []

    def note(layer: nn.Module, inputs: tuple[Tensor, ...], activations: Tensor) -> None:
        if not maps:
            maps.append(activations)
        over = [axis for axis in range(activations.dim()) if axis != 1]
        highest, lowest = activations.amax(over), activations.amin(over)
        whole = highest.max() - lowest.min()
        spans.append((highest - lowest) / whole.clamp_min(torch.finfo(whole.dtype).tiny))

    hooks = [layer.register_forward_hook(note) for layer in _hidden_layers(network)]
    try:
        output = passed(network, given, labels)
    finally:
        for hook in hooks:
            hook.remove()
    return ForwardTrace(output, maps[0], tuple(spans))


@torch.no_grad()
def passed(network: Generator | Discriminator, given: Tensor, labels: Tensor | None = None) -> Tensor:
    """The output for ``given``; what the pass would change of statistics and singular vectors is copies."""
    copies = {name: buffer.clone() for name, buffer in network.named_buffers()}
    return functional_call(network, copies, (given, labels))


def has_batch_statistics(network: nn.Module) -> bool:
    """Whether images depend on the others of their batch."""
    return any(isinstance(module, _BatchNorm) for module in network.modules())


def _hidden_layers(network: Generator | Discriminator) -> list[nn.Module]:
    """The modules whose outputs are the activated maps, from input to output."""
    layers = list(network.layers.children())
    return [network.projection, *layers[:-1]] if isinstance(network, Generator) else layers[1:]
