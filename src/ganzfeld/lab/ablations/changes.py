"""Changes of both networks that no field of a recipe makes: upsampling, pooling, fully connected layers."""

import math
from collections.abc import Callable
from itertools import pairwise

import torch
from torch import nn

from ganzfeld.compute.seeding import Purpose, derived_seed
from ganzfeld.lab.experiments.downsampling import downsamplers
from ganzfeld.lab.experiments.upsampling import upsamplers
from ganzfeld.networks import Discriminator, Generator
from ganzfeld.recipes import Recipe
from ganzfeld.training.build import build_networks, initialise_networks

Change = Callable[[Generator, Discriminator], None]
"""Replaces layers of networks in place, before their weights are drawn."""

STRIDE = 2
"""The stride of every layer at the size of the ablations."""

HIDDEN = 256
"""Units of a hidden layer of the fully connected networks, which then have about 3.5 times the parameters."""


class SubPixel(nn.Sequential):
    """A 3x3 convolution to ``stride`` squared times the channels, then a pixel shuffle (Shi et al. 2016)."""

    def __init__(self, inputs: int, outputs: int, stride: int = STRIDE) -> None:
        convolution = nn.Conv2d(inputs, outputs * stride**2, 3, padding=1)
        super().__init__(convolution, nn.PixelShuffle(stride))
        self.stride = stride

    @torch.no_grad()
    def repeat_weights(self) -> None:
        """Give all pixels of a block the weights of its first: ICNR (Aitken et al. 2017).

        At the beginning the layer then equals a convolution followed by nearest-neighbour upsampling, and
        prints no checkerboard.
        """
        convolution, pixels = self[0], self.stride**2
        assert isinstance(convolution, nn.Conv2d)
        convolution.weight.copy_(convolution.weight[::pixels].repeat_interleave(pixels, 0))


def bilinear(inputs: int, outputs: int) -> nn.Module:
    """Make bilinear upsampling, then a 3x3 convolution."""
    enlarge = nn.Upsample(scale_factor=STRIDE, mode="bilinear", align_corners=False)
    return nn.Sequential(enlarge, nn.Conv2d(inputs, outputs, 3, padding=1))


def _upsampling(make: upsamplers.Make) -> Change:
    return lambda generator, discriminator: upsamplers.put(generator, make)


def _downsampling(key: str) -> Change:
    make = downsamplers.KINDS[key].make
    return lambda generator, discriminator: downsamplers.put(discriminator, make)


def _fully_connected(generator: Generator, discriminator: Discriminator) -> None:
    """Replace all layers by fully connected ones without normalisation, as in Goodfellow et al. 2014.

    Their maxout units are LeakyReLU units here.
    """
    shape = (generator.channels, *generator.plan.size)
    pixels = math.prod(shape)
    generator.projection = nn.Sequential(
        *_perceptron(generator.latent_size, HIDDEN, HIDDEN), nn.Linear(HIDDEN, pixels), nn.Unflatten(1, shape)
    )
    generator.layers = nn.Sequential()
    discriminator.layers = nn.Sequential(nn.Flatten(), *_perceptron(pixels, HIDDEN, HIDDEN))
    discriminator.logit = nn.Linear(HIDDEN, 1)


def _perceptron(*sizes: int) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(sizes):
        layers += [nn.Linear(inputs, outputs), nn.LeakyReLU(0.2)]
    return layers


CHANGES: dict[str, Change] = {
    "nearest": _upsampling(upsamplers.resized(STRIDE)),
    "bilinear": _upsampling(bilinear),
    "pixel-shuffle": _upsampling(SubPixel),
    "kernel-5": _upsampling(upsamplers.transposed(5, STRIDE)),
    "kernel-2": _upsampling(upsamplers.transposed(2, STRIDE)),
    "average-pooling": _downsampling("average-pooling"),
    "maximum-pooling": _downsampling("maximum-pooling"),
    "fully-connected": _fully_connected,
}
"""By the name that a cell gives; "mixed-batches" changes no network and is not among them."""


def changed_networks(
    recipe: Recipe, change: str, channels: int, seed: int
) -> tuple[Generator, Discriminator] | None:
    """Build both networks of a recipe with a change, all weights drawn from the seed; None without one.

    Weights are drawn as those of the recipe are, except in fully connected networks. These have no
    normalisation, and a standard deviation of 0.02 would stop signals in every layer: their weights are drawn
    from N(0, 2 / inputs) (He et al. 2015).
    """
    if change not in CHANGES:
        return None
    generator, discriminator = build_networks(recipe, channels, seed)
    CHANGES[change](generator, discriminator)
    initialise_networks(recipe, generator, discriminator, seed)
    for module in generator.modules():
        if isinstance(module, SubPixel):
            module.repeat_weights()
    if change == "fully-connected":
        _draw_scaled(generator, derived_seed(seed, Purpose.GENERATOR_WEIGHTS))
        _draw_scaled(discriminator, derived_seed(seed, Purpose.DISCRIMINATOR_WEIGHTS))
    return generator, discriminator


@torch.no_grad()
def _draw_scaled(network: nn.Module, seed: int) -> None:
    noise = torch.Generator().manual_seed(seed)
    for module in network.modules():
        if isinstance(module, nn.Linear):
            drawn = torch.randn(module.weight.shape, generator=noise)
            module.weight.copy_(drawn * math.sqrt(2 / module.in_features))
