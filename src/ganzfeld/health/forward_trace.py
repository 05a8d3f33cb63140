"""Forward passes through live networks that change no buffer, no gradient and no random state."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.modules.batchnorm import _BatchNorm

from ganzfeld.health.activation_trace import spans_of, trace_activations
from ganzfeld.health.watched_networks import WatchedDiscriminator, WatchedGenerator, WatchedNetwork
from ganzfeld.networks import Discriminator, Generator

AnyGenerator = Generator | WatchedGenerator
AnyDiscriminator = Discriminator | WatchedDiscriminator
AnyNetwork = Generator | Discriminator | WatchedNetwork
"""A network of Ganzfeld's own, or that of somebody else's loop."""


@dataclass(frozen=True)
class ForwardTrace:
    """What one forward pass showed.

    ``output`` is the output of the network. ``first`` (B, C, *size) is the map after the first hidden
    activation, which is the base map in a generator; None if no activation was seen. ``spans`` holds a tensor
    (C,) for every hidden layer: the largest less the smallest activation of each channel, over images and
    positions, as a share of the same difference over the whole layer.
    """

    output: Tensor
    first: Tensor | None
    spans: tuple[Tensor, ...]


def trace_forward(network: AnyNetwork, inputs: Tensor, labels: Tensor | None = None) -> ForwardTrace:
    """Run one forward pass through the network as it stands, and record its hidden activations.

    ``labels`` are the classes of the inputs, where the network is trained by class.
    """
    if isinstance(network, WatchedNetwork):
        trace = trace_activations(lambda: forward(network, inputs, labels))
        first = trace.hidden[0] if trace.hidden else None
        return ForwardTrace(trace.output, first, tuple(map(spans_of, trace.hidden)))
    maps: list[Tensor] = []
    spans: list[Tensor] = []

    def record(layer: nn.Module, layer_inputs: tuple[Tensor, ...], activations: Tensor) -> None:
        if not maps:
            maps.append(activations)
        spans.append(spans_of(activations))

    hooks = [layer.register_forward_hook(record) for layer in _hidden_layers(network)]
    try:
        output = forward(network, inputs, labels)
    finally:
        for hook in hooks:
            hook.remove()
    return ForwardTrace(output, maps[0], tuple(spans))


@torch.no_grad()
def forward(network: AnyNetwork, inputs: Tensor, labels: Tensor | None = None) -> Tensor:
    """Return the output of the network; the pass updates only copies of its buffers."""
    copies = {name: buffer.clone() for name, buffer in network.named_buffers()}
    return functional_call(network, copies, (inputs, labels))


def has_batch_statistics(network: nn.Module) -> bool:
    """Return whether the output for one image depends on the other images of its batch."""
    return any(isinstance(module, _BatchNorm) for module in network.modules())


def _hidden_layers(network: Generator | Discriminator) -> list[nn.Module]:
    """Return the modules whose outputs are the activated feature maps, from input to output."""
    layers = list(network.layers.children())
    return [network.projection, *layers[:-1]] if isinstance(network, Generator) else layers[1:]
