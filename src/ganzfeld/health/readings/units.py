"""Dead units: channels whose activation is the same for every input."""

import torch
from torch import Tensor

from ganzfeld.health.probe import ProbeContext

PASSES = True

NAMES = {
    "dead_generator": "Share of channels in a hidden layer of the generator whose activation is the same,"
    " within 1e-6 of the layer's range, for 32 latents and at all positions; the largest share of all layers:"
    " 0 no dead channel, 1 a dead layer.",
    "dead_discriminator": "The same for the discriminator, with real and with generated images.",
}

SAME = 1e-6


def read(probe: ProbeContext) -> dict[str, Tensor]:
    """Return the readings of the networks whose hidden layers are known."""
    spans = zip(probe.real_trace.spans, probe.fake_trace.spans, strict=True)
    by_side = {
        "dead_generator": list(probe.generator_trace.spans),
        "dead_discriminator": [torch.maximum(*both) for both in spans],
    }
    return {name: _dead(layers) for name, layers in by_side.items() if layers}


def _dead(spans: list[Tensor]) -> Tensor:
    return torch.stack([(layer <= SAME).float().mean() for layer in spans]).max()
