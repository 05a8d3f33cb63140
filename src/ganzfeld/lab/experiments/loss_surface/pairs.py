"""Pairs of toy networks with and without norms, the images that they train on, and how fast they learn."""

import copy

import torch
from torch import Tensor, nn
from torch.optim import Adam

from ganzfeld.compute.seeding import Purpose, derived_seed, noise_at
from ganzfeld.geometry import plan
from ganzfeld.lab.experiments.loss_surface import Settings, theory
from ganzfeld.lab.game.methods import METHODS
from ganzfeld.lab.game.play import Game
from ganzfeld.losses import Loss
from ganzfeld.networks import Discriminator, Generator, initialise
from ganzfeld.training.step import GANState, StepConfig

SIDE = 32
"""Height and width of the toy images, px."""

LATENT_SIZE = 16
WIDTH = 4
LOSS = Loss("non-saturating")
ACTIVATION = "leaky-relu"
SLOPE = 0.2
BETAS = (0.5, 0.999)


def draw(num: int, noise: torch.Generator) -> tuple[Tensor, Tensor]:
    """Draw toy images, (num, 1, 32, 32) in [-1, 1], each a soft blob on a dark ground, and latents."""
    along = torch.arange(SIDE) + 0.5
    centre = SIDE * (0.25 + 0.5 * torch.rand(num, 2, 1, generator=noise))
    profiles = torch.exp(-(((along - centre) / (0.2 * SIDE)) ** 2))
    bright = 0.5 + 0.5 * torch.rand(num, 1, 1, generator=noise)
    images = 2 * bright * profiles[:, 0, :, None] * profiles[:, 1, None] - 1
    return images.unsqueeze(1), torch.randn(num, LATENT_SIZE, generator=noise)


def generator_of(normalisation: str, seed: int, number: int) -> Generator:
    """Build a toy generator, with initial weights that keep the scale of its maps."""
    network = Generator(
        plan(SIDE),
        channels=1,
        latent_size=LATENT_SIZE,
        width=WIDTH,
        normalisation=normalisation,
        activation=ACTIVATION,
        slope=SLOPE,
    )
    initialise(network, derived_seed(seed, Purpose.GENERATOR_WEIGHTS, number))
    _rescale(network)
    return network


def discriminator_of(normalisation: str, seed: int, number: int) -> Discriminator:
    """Build a toy discriminator, with initial weights that keep the scale of its maps."""
    network = Discriminator(plan(SIDE), channels=1, width=WIDTH, normalisation=normalisation, slope=SLOPE)
    initialise(network, derived_seed(seed, Purpose.DISCRIMINATOR_WEIGHTS, number))
    _rescale(network)
    return network


@torch.no_grad()
def _rescale(network: nn.Module) -> None:
    """Give every layer weights with which its outputs have variance 1; the first gets inputs of mean square
    1, the others those of the activation.
    """
    mean_square = 1.0
    for layer in network.modules():
        if isinstance(layer, nn.Linear):
            inputs = layer.in_features
        elif isinstance(layer, nn.Conv2d):
            inputs = layer.in_channels * layer.kernel_size[0] * layer.kernel_size[1]
        elif isinstance(layer, nn.ConvTranspose2d):
            taps = layer.kernel_size[0] * layer.kernel_size[1] / (layer.stride[0] * layer.stride[1])
            inputs = layer.in_channels * taps
        else:
            continue
        deviation = theory.unit_deviation(inputs, mean_square)
        layer.weight.mul_(deviation / layer.weight.std(correction=0))
        mean_square = (1 + SLOPE**2) / 2


def game_of(generator: str, discriminator: str, settings: Settings, seed: int, number: int) -> Game:
    """Build the training of a pair, which the trainer's own step makes; the same images for every pair of a
    number.
    """
    first, second = generator_of(generator, seed, number), discriminator_of(discriminator, seed, number)
    adams = [
        Adam(network.parameters(), lr=settings.rate, betas=BETAS, fused=True) for network in (first, second)
    ]
    gan = GANState(first, second, adams[0], adams[1], copy.deepcopy(first).requires_grad_(False))
    config = StepConfig(LOSS, [], 0.0, per_sample=discriminator == "none")
    return Game(
        gan,
        config,
        METHODS["alternating"],
        lambda noise: draw(settings.batch, noise),
        derived_seed(seed, Purpose.LATENTS, number),
    )


def learned(
    side: str, normalisation: str, frozen: GANState, rate: float, settings: Settings, seed: int
) -> float:
    """Train a new network of one side against the other one of ``frozen``, and return the mean of its loss
    over all steps: the faster it learns, the smaller it is.
    """
    if side == "generator":
        network: nn.Module = generator_of(normalisation, seed, 0)
    else:
        network = discriminator_of(normalisation, seed, 0)
    adam = Adam(network.parameters(), lr=rate, betas=BETAS, fused=True)
    total, num_steps = 0.0, settings.steps // 2
    for index in range(num_steps):
        real, latents = draw(settings.batch, noise_at(seed, Purpose.LATENTS, index))
        if side == "generator":
            loss = LOSS.generator(None, frozen.discriminator(network(latents)))
        else:
            with torch.no_grad():
                fake = frozen.generator(latents)
            loss = LOSS.discriminator(network(real), network(fake))
        adam.zero_grad()
        loss.backward()
        adam.step()
        total += float(loss.detach())
    return total / num_steps
