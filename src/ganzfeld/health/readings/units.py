"""Units that say the same whatever they are shown."""

import torch
from torch import Tensor

from ganzfeld.health.probe import ProbeContext

PASSES = True

NAMES = {
    "dead_generator": "Of the generator's hidden layers, the largest share of channels whose activation is"
    " the same, within 1e-6 of the layer's range, for 32 latents and all positions: 0 all live, 1 a dead"
    " layer.",
    "dead_discriminator": "The same of the discriminator's, for real images and for generated ones.",
}

SAME = 1e-6


def read(probe: ProbeContext) -> dict[str, Tensor]:
    """Those of both networks."""
    judged = zip(probe.judged_real.spans, probe.judged_fake.spans, strict=True)
    return {
        "dead_generator": _dead(list(probe.generated.spans)),
        "dead_discriminator": _dead([torch.maximum(*both) for both in judged]),
    }


def _dead(spans: list[Tensor]) -> Tensor:
    return torch.stack([(layer <= SAME).float().mean() for layer in spans]).max()
