"""The bench of ``spiral``: the closed forms against algebra, autograd and games."""

from typing import Any

import numpy as np
import torch

from ganzfeld.lab.experiments.spiral import Settings, momentum, theory
from ganzfeld.lab.experiments.spiral.convergence import (
    in_directions,
    largest_steps,
    map_of_convergence,
    step_factors,
)
from ganzfeld.lab.experiments.spiral.rest import at_rest
from ganzfeld.lab.game import METHODS, Replica, dirac
from ganzfeld.lab.game.dirac import trajectory
from ganzfeld.lab.language import say
from ganzfeld.lab.outcome import Measured, claim, largest_error, limit

NEARLY = 0.05
"""At a smaller ``theory.turning`` two eigenvalues are too nearly equal to be computed well."""

SLOW = 0.01
"""The step size at which a game without damping is near its flow."""

ROUNDS = 90
"""Rounds of the trajectories in the phase portrait."""

MOST_ROUNDS = 6_000
"""The most rounds of a game at the slow step size; a slower rotation is not measured."""


def bench(settings: Settings, seed: int, thorough: bool) -> tuple[tuple[Measured, ...], dict[str, Any]]:
    """Compare the closed forms with algebra, autograd and games."""
    resting, rests = at_rest()
    played, data = _played(settings, seed)
    limits, fans = largest_steps(settings)
    regions, maps = map_of_convergence(settings, 480 if thorough else 240)
    figures = (*_algebra(settings), *resting, *played, *limits, *regions)
    return figures, {"settings": settings.model_dump(), "rests": rests, **data, **fans, **maps}


def _algebra(settings: Settings) -> tuple[Measured, ...]:
    """Compare the closed forms of the eigenvalues and omega with the matrix, except where the two eigenvalues
    are nearly equal.
    """
    pairs = [(settings.lg, settings.ld), *((lg, ld) for lg in (0, 0.3, 0.9, 3.1) for ld in (0, 0.2, 1.7))]
    value_errors, frequency_errors = [], []
    for lg, ld in pairs:
        if abs(theory.turning(lg, ld)) < NEARLY:
            continue
        values = np.sort_complex(np.linalg.eigvals(theory.jacobian(lg, ld)))
        closed = np.sort_complex(np.array(theory.eigenvalues(lg, ld)))
        value_errors.append(float(np.abs(closed - values).max()))
        frequency_errors.append(abs(theory.frequency(lg, ld) - float(np.abs(np.imag(values)).max())))
    turning = claim(
        "turning",
        say("2 - |lg - ld|, above 0 where the eigenvalues are complex"),
        theory.turning(settings.lg, settings.ld),
        0.0,
        relation=">",
        of="eigenvalues",
        part="closed form",
    )
    return turning, *(
        largest_error(
            key,
            say("{key}, largest error of the formula", key=say(key)),
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
    figures = [*_slow_game(settings, start), *_growth(settings, start), *momentum.figures(settings, start)]
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
    size = np.log(np.abs(in_directions(path, lg, ld)[:, 0]))
    return [
        claim(
            "frequency",
            say("frequency of the simulated game, radians per unit of time"),
            frequency_of(path[:, 0]) / step,
            omega,
            of="frequency",
            tolerance=0.01 * omega,
        ),
        claim(
            "decay",
            say("decay of the simulated game per unit of time"),
            float((size[0] - size[-1]) / (num * step)),
            decay,
            of="spirals",
            tolerance=0.01 * max(1.0, decay),
        ),
    ]


def _growth(settings: Settings, start: tuple[float, float]) -> list[Measured]:
    """Measure the growth by a simultaneous step, and without damping."""
    lg, ld, step = settings.lg, settings.ld, settings.step
    undamped = trajectory(dirac("simultaneous", [Replica(step)], start=start), 1)[:, 0].norm(dim=1)
    figures = [
        claim(
            "undamped-factor",
            say("factor of a simultaneous step on the radius, without damping"),
            float(undamped[1] / undamped[0]),
            1.0,
            relation="<",
            of="stable",
        )
    ]
    if abs(theory.turning(lg, ld)) < NEARLY:
        return figures  # the two directions are nearly one, and states cannot be split into them
    factor = float(step_factors([Replica(step, lg, ld)], start)[0])
    closed = theory.growth_of_simultaneous(step, lg, ld)
    name = say("factor of a simultaneous step on the radius")
    figures += [
        claim("step-factor", name, factor, closed, of="spirals", tolerance=1e-9 * max(1.0, closed)),
        claim(
            "step-rests", say("{name}, below 1 at rest", name=name), factor, 1.0, relation="<", of="stable"
        ),
    ]
    if factor < 1e-9:
        return figures
    return [
        *figures,
        limit(
            "step-decay",
            say("decay per unit of time at this step"),
            -float(np.log(factor)) / step,
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
