"""The bench of ``spiral``: the closed forms against algebra, autograd and games."""

from typing import Any

import numpy as np
import torch

from ganzfeld.lab.experiments.spiral import Settings, theory
from ganzfeld.lab.experiments.spiral.convergence import largest_steps, map_of_convergence
from ganzfeld.lab.game import METHODS, Replica, dirac
from ganzfeld.lab.game.dirac import trajectory
from ganzfeld.lab.game.play import gradients_of, weights_of
from ganzfeld.lab.outcome import Measured, claim, largest_error, limit, shown
from ganzfeld.losses import Loss, losses
from ganzfeld.stabilisers import stabiliser

SLOW = 0.01
"""The step size at which a game without damping is near its flow."""

ROUNDS = 90
"""Rounds of the trajectories in the phase portrait."""

MOST_ROUNDS = 6_000
"""The most rounds of a game at the slow step size; a slower rotation is not measured."""


def bench(settings: Settings, seed: int, thorough: bool) -> tuple[tuple[Measured, ...], dict[str, Any]]:
    """Compare the closed forms with algebra, autograd and games."""
    at_rest, rests = _at_rest()
    played, data = _played(settings, seed)
    limits, fans = largest_steps(settings)
    regions, maps = map_of_convergence(settings, 480 if thorough else 240)
    figures = (*_algebra(settings), *at_rest, *played, *limits, *regions)
    return figures, {"settings": settings.model_dump(), "rests": rests, **data, **fans, **maps}


def _algebra(settings: Settings) -> tuple[Measured, ...]:
    """Compare the closed forms of the eigenvalues and omega with the matrix, except where the two eigenvalues
    are nearly equal.
    """
    pairs = [(settings.lg, settings.ld), *((lg, ld) for lg in (0, 0.3, 0.9, 3.1) for ld in (0, 0.2, 1.7))]
    value_errors, frequency_errors = [], []
    for lg, ld in pairs:
        if abs(abs(lg - ld) - 2) < 0.05:
            continue
        values = np.sort_complex(np.linalg.eigvals(theory.jacobian(lg, ld)))
        closed = np.sort_complex(np.array(theory.eigenvalues(lg, ld)))
        value_errors.append(float(np.abs(closed - values).max()))
        frequency_errors.append(abs(theory.frequency(lg, ld) - float(np.abs(np.imag(values)).max())))
    return tuple(
        largest_error(
            key,
            f"{key}, largest error of the formula",
            torch.tensor(errors, dtype=torch.float64),
            of=of,
            tolerance=1e-12,
            part="closed form",
        )
        for key, of, errors in (
            ("eigenvalues", "eigenvalues", value_errors),
            ("omega", "frequency", frequency_errors),
        )
    )


def _at_rest() -> tuple[list[Measured], dict[str, list[float]]]:
    """Measure the Jacobian at rest of a game with each loss of the catalogue and R1, by autograd."""
    weight, rests = 0.4, {}
    for name in losses.names():
        # At temperature 1/2 a logistic loss has slope 1 at the logit 0.
        loss = Loss(name) if losses.load(name).NO_TEMPERATURE else Loss(name, temperature=0.5)
        r1 = stabiliser({"name": "r1", "weight": weight})
        game = dirac("simultaneous", [Replica(1.0)], loss=loss, stabilisers=[r1], start=(0.0, 0.0))
        real, latents = game.draw(torch.Generator())
        gradients = gradients_of(game.gan, game.config, real, latents, game.context())
        weights = weights_of(game.gan)
        rows = [
            torch.autograd.grad(part.sum(), weights, retain_graph=True, materialize_grads=True)
            for part in gradients
        ]
        rests[name] = [-float(value) for row in rows for value in row]
    expected = theory.jacobian(0.0, weight).flatten()
    errors = {name: float(np.abs(np.array(entries) - expected).max()) for name, entries in rests.items()}
    same = sorted(name for name, error in errors.items() if error < 1e-12)
    return [
        claim(
            "rest-jacobian",
            "Jacobian of the game (Wasserstein, R1), largest error of the formula",
            errors["wasserstein"],
            0.0,
            of="eigenvalues",
            tolerance=1e-12,
        ),
        shown("rest-losses", "number of losses with that Jacobian at rest", len(same)),
        limit(
            "rest-least-squares",
            "least squares: slope of D's pull at rest",
            rests["least-squares"][2],
            -1.0,
            of="eigenvalues",
            tolerance=1e-12,
        ),
    ], rests


def _played(settings: Settings, seed: int) -> tuple[list[Measured], dict[str, Any]]:
    """Play trajectories at the step size of the settings and at a slow one, and compare them with the
    formulas.
    """
    angle = np.random.default_rng(seed).uniform(0, 2 * np.pi)
    start = (float(np.cos(angle)), float(np.sin(angle)))
    replica = Replica(settings.step, settings.lg, settings.ld)
    paths = {
        name: trajectory(dirac(name, [replica], start=start, strength=settings.strength), ROUNDS)[
            :, 0
        ].numpy()
        for name in METHODS
    }
    figures = [*_slow_game(settings, start), *_growth(settings, start, paths["simultaneous"])]
    return figures, {"paths": paths}


def _slow_game(settings: Settings, start: tuple[float, float]) -> list[Measured]:
    """Compare frequency and decay of a game at small steps with those of the flow."""
    lg, ld = settings.lg, settings.ld
    omega, decay = theory.frequency(lg, ld), (lg + ld) / 2
    step = SLOW / (1 + decay)
    num = int(2.2 * np.pi / max(omega, 1e-9) / step)  # two changes of sign at least
    if num > MOST_ROUNDS:
        return []
    path = trajectory(dirac("simultaneous", [Replica(step, lg, ld)], start=start), num)[:, 0].numpy()
    size = np.log(np.linalg.norm(_in_slow_direction(path, lg, ld), axis=1))
    return [
        claim(
            "frequency",
            "frequency of the simulated game, radians per unit of time",
            frequency_of(path[:, 0]) / step,
            omega,
            of="frequency",
            tolerance=0.01 * omega,
        ),
        claim(
            "decay",
            "decay of the simulated game per unit of time",
            float((size[0] - size[-1]) / (num * step)),
            decay,
            of="spirals",
            tolerance=0.01 * max(1.0, decay),
        ),
    ]


def _growth(settings: Settings, start: tuple[float, float], path: np.ndarray) -> list[Measured]:
    """Measure the growth by a simultaneous step on a trajectory (T, 2), and without damping."""
    lg, ld, step = settings.lg, settings.ld, settings.step
    radius = np.linalg.norm(_in_slow_direction(path, lg, ld), axis=1)
    per_step = float((radius[1:] / radius[:-1]).max())
    undamped = trajectory(dirac("simultaneous", [Replica(step)], start=start), 1)[:, 0].norm(dim=1)
    return [
        claim(
            "step-factor",
            "factor of a simultaneous step on the radius",
            per_step,
            theory.growth_of_simultaneous(step, lg, ld),
            of="spirals",
            tolerance=1e-9,
        ),
        limit(
            "undamped-factor",
            "factor of a simultaneous step on the radius, without damping",
            float(undamped[1] / undamped[0]),
            1.0,
            of="spirals",
            tolerance=1e-12,
        ),
        limit(
            "step-decay",
            "decay per unit of time at this step",
            -float(np.log(per_step)) / step,
            -max(value.real for value in theory.eigenvalues(lg, ld)),
            of="spirals",
            tolerance=1e-6,
        ),
    ]


def frequency_of(series: np.ndarray) -> float:
    """Return radians per step between the first and the last change of sign; 0 if there are fewer than
    two.
    """
    (places,) = np.nonzero(np.diff(np.sign(series)))
    if len(places) < 2:
        return 0.0
    exact = places + series[places] / (series[places] - series[places + 1])
    return float(np.pi * (len(places) - 1) / (exact[-1] - exact[0]))


def _in_slow_direction(path: np.ndarray, lg: float, ld: float) -> np.ndarray:
    """Return the component of states (T, 2) along the slower eigenvector of J, (T, 1), which every step
    multiplies by the same number.
    """
    values, vectors = np.linalg.eig(theory.jacobian(lg, ld))
    return (path @ np.linalg.inv(vectors).T)[:, [int(np.real(values).argmax())]]
