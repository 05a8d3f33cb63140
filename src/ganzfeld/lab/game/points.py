"""Games of points: perceptrons learn a distribution of points, several seeds side by side."""

import copy
from collections.abc import Callable, Sequence
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


def game_of_points(
    sample: Sample,
    *,
    loss: Loss,
    stabilisers: Sequence[Stabiliser] = (),
    replicas: int = 1,
    seed: int = 0,
    num_rounds: int = 1_000,
    num_points: int = 128,
    width: int = 64,
    latent_size: int = 2,
    rates: tuple[float, float] = (1e-3, 1e-3),
    method: str = "adam",
    generator: nn.Module | None = None,
    ema: float = 0.0,
) -> Game:
    """Build one game per replica on points that ``sample(num, noise)`` draws, (num, dims); normal latents.

    Players have two hidden layers of ``width``, unless a generator is given. ``rates`` are the step sizes of
    generator and discriminator, ``ema`` the decay of the average that ``generated`` shows.
    """
    dims = sample(1, torch.Generator().manual_seed(0)).shape[1]
    if generator is None:
        sizes = (latent_size, width, width, dims)
        generator = Perceptrons(replicas, sizes, derived_seed(seed, Purpose.GENERATOR_WEIGHTS))
    drawn = derived_seed(seed, Purpose.DISCRIMINATOR_WEIGHTS)
    constrained = any(type(choice).prepare is not Stabiliser.prepare for choice in stabilisers)
    discriminator = Discriminators(replicas, (dims, width, width, 1), drawn, plain=constrained)
    with torch.random.fork_rng(devices=[]):  # spectral normalisation draws from the global state
        torch.manual_seed(drawn)
        for stabiliser in stabilisers:
            stabiliser.prepare(discriminator)
    settle(discriminator)
    chosen = METHODS[method]
    gan = GANState(
        # The step asks no more of a player than that it is a module.
        cast(Any, generator),
        cast(Any, discriminator),
        chosen.optimizer([{"params": list(generator.parameters()), "lr": rates[0]}]),
        chosen.optimizer([{"params": list(discriminator.parameters()), "lr": rates[1]}]),
        cast(Any, copy.deepcopy(generator).requires_grad_(False)),
    )
    config = StepConfig(loss, stabilisers, ema, simultaneous=chosen.simultaneous, per_sample=True)
    num = replicas * num_points

    def draw(noise: torch.Generator) -> tuple[Tensor, Tensor]:
        return sample(num, noise), torch.randn(num, latent_size, generator=noise)

    return Game(gan, as_if_alone(config, replicas), chosen, draw, seed, num_rounds)


@torch.no_grad()
def generated(game: Game, replicas: int, num: int, seed: int, latent_size: int = 2) -> Tensor:
    """Return what the averaged generators make of fresh latents, (replicas, num, dims)."""
    latents = torch.randn(replicas * num, latent_size, generator=torch.Generator().manual_seed(seed))
    return game.gan.generator_ema(latents).view(num, replicas, -1).transpose(0, 1)
