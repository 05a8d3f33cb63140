"""Small discriminators of toy images."""

import torch
from torch import nn

from ganzfeld.compute.seeding import Purpose, derived_seed
from ganzfeld.geometry import plan
from ganzfeld.networks import Discriminator, initialise

SIDE = 16
"""Height and width of the toy images, px."""


def toy_discriminator(normalisation: str, seed: int, number: int = 0) -> Discriminator:
    """Build a small discriminator for grey images of 16 px, whose weights keep the scale of its maps."""
    discriminator = Discriminator(plan(SIDE), channels=1, width=4, normalisation=normalisation)
    initialise(discriminator, derived_seed(seed, Purpose.DISCRIMINATOR_WEIGHTS, number))
    with torch.no_grad():
        for layer in discriminator.modules():
            if isinstance(layer, nn.Conv2d | nn.Linear):
                layer.weight.mul_(8)
    return discriminator
