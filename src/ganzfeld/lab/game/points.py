"""Games of points: perceptrons learn a distribution of points, several replicas side by side."""

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn

from ganzfeld.compute.seeding import Purpose, derived_seed
from ganzfeld.lab.game.methods import METHODS
from ganzfeld.lab.game.play import Game, as_if_alone
from ganzfeld.lab.game.replicas import Discriminators, Perceptrons
from ganzfeld.losses import Loss
from ganzfeld.networks.normalisations.spectral import settle
from ganzfeld.stabilisers import Stabiliser
from ganzfeld.training.step import GANState, StepConfig

Sample = Callable[[int, torch.Generator], Tensor]
"""Draws points (num, dims) from their number and a source of randomness."""


@dataclass(frozen=True)
class PointNetworks:
    """The networks of games of points: ``replicas`` of each, perceptrons with two hidden layers of ``width``.

    ``generator`` takes the place of the perceptrons that would generate; it holds all replicas.
    """

    replicas: int = 1
    width: int = 64
    latent_size: int = 2
    generator: nn.Module | None = None


@dataclass(frozen=True)
class PointTraining:
    """How games of points are played: their seed, their length and their steps.

    ``num_points`` is the batch of one replica. ``rates`` are the step sizes of generator and discriminator.
    ``ema`` is the decay of the averaged generator, which ``generated`` uses.
    """

    seed: int = 0
    num_rounds: int = 1_000
    num_points: int = 128
    rates: tuple[float, float] = (1e-3, 1e-3)
    ema: float = 0.0


def game_of_points(
    sample: Sample,
    *,
    loss: Loss,
    stabilisers: Sequence[Stabiliser] = (),
    networks: PointNetworks | None = None,
    training: PointTraining | None = None,
) -> Game:
    """Build one game per replica on points that ``sample(num, noise)`` draws, (num, dims), played by Adam in
    turn; latents are normal.
    """
    networks, training = networks or PointNetworks(), training or PointTraining()
    replicas, width = networks.replicas, networks.width
    dims = sample(1, torch.Generator().manual_seed(0)).shape[1]
    generator = networks.generator
    if generator is None:
        sizes = (networks.latent_size, width, width, dims)
        generator = Perceptrons(replicas, sizes, derived_seed(training.seed, Purpose.GENERATOR_WEIGHTS))
    discriminator = _discriminators(networks, dims, stabilisers, training.seed)
    chosen = METHODS["adam"]
    gan = GANState(
        # The step needs no more of a network than that it is a module.
        cast(Any, generator),
        cast(Any, discriminator),
        chosen.optimizer([{"params": list(generator.parameters()), "lr": training.rates[0]}]),
        chosen.optimizer([{"params": list(discriminator.parameters()), "lr": training.rates[1]}]),
        cast(Any, copy.deepcopy(generator).requires_grad_(False)),
    )
    config = StepConfig(loss, stabilisers, training.ema, simultaneous=chosen.simultaneous, per_sample=True)
    num = replicas * training.num_points

    def draw(noise: torch.Generator) -> tuple[Tensor, Tensor]:
        return sample(num, noise), torch.randn(num, networks.latent_size, generator=noise)

    return Game(gan, as_if_alone(config, replicas), chosen, draw, training.seed, training.num_rounds)


def _discriminators(
    networks: PointNetworks, dims: int, stabilisers: Sequence[Stabiliser], seed: int
) -> Discriminators:
    """Build the discriminators of all replicas, with the constraints of the stabilisers."""
    weights_seed = derived_seed(seed, Purpose.DISCRIMINATOR_WEIGHTS)
    constrained = any(type(stabiliser).prepare is not Stabiliser.prepare for stabiliser in stabilisers)
    sizes = (dims, networks.width, networks.width, 1)
    discriminator = Discriminators(networks.replicas, sizes, weights_seed, plain=constrained)
    with torch.random.fork_rng(devices=[]):  # spectral normalisation draws from the global state
        torch.manual_seed(weights_seed)
        for stabiliser in stabilisers:
            stabiliser.prepare(discriminator)
    settle(discriminator)
    return discriminator


@torch.no_grad()
def generated(game: Game, replicas: int, num: int, seed: int, latent_size: int = 2) -> Tensor:
    """Return the points that the averaged generators make from new latents, (replicas, num, dims)."""
    latents = torch.randn(replicas * num, latent_size, generator=torch.Generator().manual_seed(seed))
    return game.gan.generator_ema(latents).view(num, replicas, -1).transpose(0, 1)
