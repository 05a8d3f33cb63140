"""Momentum on the bench of ``spiral``: what it does to the frequency and the growth of a rotation."""

import cmath

import numpy as np
import torch
from torch.optim import SGD

from ganzfeld.lab.experiments.spiral import Settings, theory
from ganzfeld.lab.game import Replica, dirac
from ganzfeld.lab.game.dirac import trajectory
from ganzfeld.lab.language import say
from ganzfeld.lab.outcome import Measured, claim, limit, shown

ROUNDS = 30
"""Rounds of the game that is compared with its matrix."""


def figures(settings: Settings, start: tuple[float, float]) -> list[Measured]:
    """Compare the formula with the matrix of a round, and the matrix with a game."""
    lg, ld, step, beta = settings.lg, settings.ld, settings.step, settings.beta
    matrix = theory.momentum_round(step, lg, ld, beta)
    radius = float(np.abs(np.linalg.eigvals(matrix)).max())
    plain = max((1 + step * value for value in theory.eigenvalues(lg, ld)), key=abs)
    factor = max((theory.with_momentum(step * value, beta) for value in theory.eigenvalues(lg, ld)), key=abs)
    words = say("with momentum {beta:g}", beta=beta)
    measured = [
        claim(
            "momentum-factor",
            say("factor of a step {words}: the matrix against the formula", words=words),
            radius,
            abs(factor),
            of="spirals",
            tolerance=1e-6 * max(1.0, radius),
        ),
        claim(
            "momentum-path",
            say("game {words}, largest difference from its matrix, relative", words=words),
            path_error(settings, start),
            0.0,
            of="spirals",
            tolerance=1e-9,
        ),
        shown(
            "momentum-growth",
            say("factor of a simultaneous step {words}", words=words),
            abs(factor),
            abs(plain),
        ),
    ]
    if theory.turning(lg, ld) <= 0:
        return measured
    turn, plain_turn = abs(cmath.phase(factor)), abs(cmath.phase(plain))
    name = say("rotation {words}, radians per step", words=words)
    return [*measured, limit("momentum-turn", name, turn, plain_turn, of="frequency", tolerance=1e-9)]


def path_error(settings: Settings, start: tuple[float, float]) -> float:
    """Return the largest difference of a game with momentum from the powers of its matrix, relative to the
    size of the state.
    """
    game = dirac("simultaneous", [Replica(settings.step, settings.lg, settings.ld)], start=start)
    for name in ("generator_optimizer", "discriminator_optimizer"):
        (group,) = getattr(game.gan, name).param_groups
        kept = {key: group[key] for key in ("params", "lr", "weight_decay")}
        optimizer = SGD([kept], momentum=settings.beta, dampening=settings.beta, fused=True)
        # torch would take the first gradient in full; Adam, and the formula, start from 0.
        for weight in kept["params"]:
            optimizer.state[weight]["momentum_buffer"] = torch.zeros_like(weight)
        setattr(game.gan, name, optimizer)
    path = trajectory(game, ROUNDS)[:, 0].numpy()
    matrix = theory.momentum_round(settings.step, settings.lg, settings.ld, settings.beta)
    state, worst = np.array([*start, 0.0, 0.0]), 0.0
    for place in path:
        # Rounding is relative to the largest of position and momentum.
        worst = max(worst, float(np.abs(state[:2] - place).max() / np.abs(state).max()))
        state = matrix @ state
    return worst
