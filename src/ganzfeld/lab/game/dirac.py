"""The Dirac game: all real images are the value 0, the generator makes one value, and D is a straight line.

With the Wasserstein loss it is exactly the linear game of the experiment ``spiral``; with a logistic loss and
temperature 1/2 it is that game near its rest point (Mescheder et al. 2018, section 2).
"""

import copy
from collections.abc import Sequence
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor

from ganzfeld.lab.game.methods import METHODS
from ganzfeld.lab.game.play import Game, as_if_alone
from ganzfeld.lab.game.replicas import OnePerReplica, Point, Slope
from ganzfeld.losses import Loss
from ganzfeld.stabilisers import Stabiliser
from ganzfeld.training.step import GANState, StepConfig


class Variant(NamedTuple):
    """What else a Dirac game may have: ``momentum`` of plain gradient steps, the number of steps of D per
    step of G (each of them is a round of the game), and a ``bias`` that is added to every logit.
    """

    momentum: float = 0.0
    steps_of_d: int = 1
    bias: float = 0.0


class Replica(NamedTuple):
    """The step size of a game, and the weight decays of generator and discriminator."""

    step: float
    lg: float = 0.0
    ld: float = 0.0


def dirac(
    method: str,
    replicas: Sequence[Replica],
    *,
    loss: Loss | None = None,
    stabilisers: Sequence[Stabiliser] = (),
    start: tuple[float, float] = (1.0, 0.0),
    strength: float = 1.0,
    variant: Variant | None = None,
    learns_bias: bool = False,
) -> Game:
    """Build one Dirac game per replica, all played by one method, in float64, from ``start`` = (x, y).

    ``learns_bias``: the bias of the variant is where D's own bias begins, which it learns.
    """
    momentum, steps_of_d, bias = variant or Variant()
    generator = Point([(replica.step, replica.lg) for replica in replicas], start[0])
    discriminator = Slope([(replica.step, replica.ld) for replica in replicas], start[1], bias, learns_bias)
    chosen = METHODS[method]
    gan = GANState(
        # The step needs no more of a network than that it is a module.
        cast(Any, generator),
        cast(Any, discriminator),
        chosen.optimizer(_groups(generator.place, momentum)),
        chosen.optimizer(
            [*_groups(discriminator.slope, momentum), *_groups(discriminator.learned, momentum)]
        ),
        cast(Any, copy.deepcopy(generator).requires_grad_(False)),
    )
    config = StepConfig(
        loss or Loss("wasserstein"),
        stabilisers,
        0.0,
        simultaneous=chosen.simultaneous,
        discriminator_steps=steps_of_d,
        per_sample=True,
    )
    values = torch.zeros(len(replicas), 1, dtype=torch.float64)
    return Game(
        gan, as_if_alone(config, len(replicas)), chosen, lambda noise: (values, values), strength=strength
    )


def _groups(numbers: OnePerReplica | None, momentum: float) -> list[dict[str, Any]]:
    if numbers is None:
        return []
    return [
        {"params": [part], "lr": step, "weight_decay": decay, "momentum": momentum}
        for (step, decay), part in zip(numbers.keys, numbers.parts, strict=True)
    ]


@torch.no_grad()
def state(game: Game) -> Tensor:
    """Return x and y of every replica, (replicas, 2)."""
    generator, discriminator = cast(Any, game.gan.generator), cast(Any, game.gan.discriminator)
    return torch.stack([generator.place(), discriminator.slope()], 1)


def trajectory(game: Game, num_rounds: int) -> Tensor:
    """Play ``num_rounds`` rounds, and return the state before the first and after each round.

    Shape: (num_rounds + 1, replicas, 2).
    """
    states = [state(game)]
    for _ in range(num_rounds):
        game.advance()
        states.append(state(game))
    return torch.stack(states)
