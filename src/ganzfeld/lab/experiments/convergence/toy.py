"""The bench of ``convergence``: games against the closed form, and what they leave of the distance."""

from typing import Any

import numpy as np
import torch

from ganzfeld.lab.experiments.convergence import Settings, theory
from ganzfeld.lab.game import Replica, dirac
from ganzfeld.lab.game.dirac import Variant, trajectory
from ganzfeld.lab.language import say
from ganzfeld.lab.measured import Relation
from ganzfeld.lab.outcome import Measured, claim, largest_error, limit, shown
from ganzfeld.losses import Loss
from ganzfeld.stabilisers import stabiliser

NEAR = 1e-4
"""Distance from rest at which games are linear up to its square."""

LINEAR = ("simultaneous", "alternating", "extragradient", "optimistic")
COMPARED = 20
"""Rounds of the games that are compared with the closed form."""

REST = 1e-3
"""The share of the distance below which a game has come to rest."""

KEPT = 0.9
"""The share of the distance that a game must have left to have kept it."""


def bench(settings: Settings, seed: int, thorough: bool) -> tuple[tuple[Measured, ...], dict[str, Any]]:
    """Compare the closed form with games, and measure what games leave of the distance from rest."""
    angle = np.random.default_rng(seed).uniform(0, 2 * np.pi)
    start = (float(np.cos(angle)), float(np.sin(angle)))
    left, paths = _left(settings, start)
    figures = (_formula(settings, start), *_near_rest(settings), *_penalties(settings), *left)
    return figures, {"settings": settings.model_dump(), "paths": paths}


def path_of(
    settings: Settings,
    loss: str,
    penalty: str = "none",
    method: str = "alternating",
    *,
    start: tuple[float, float],
    rounds: int | None = None,
    steps_of_d: int = 1,
    momentum: float = 0.0,
) -> np.ndarray:
    """Return the states (theta, psi) of a game before the first and after every round, (rounds + 1, 2)."""
    penalties = [] if penalty == "none" else [stabiliser({"name": penalty, "weight": settings.weight})]
    game = dirac(
        method,
        [Replica(settings.step)],
        loss=Loss(loss),
        stabilisers=penalties,
        start=start,
        variant=Variant(momentum, steps_of_d, theory.SLOPES[loss].logit),
    )
    num = (settings.rounds if rounds is None else rounds) * steps_of_d
    return trajectory(game, num)[::steps_of_d, 0].numpy()


def _formula(settings: Settings, start: tuple[float, float]) -> Measured:
    """Compare games near rest with the powers of the matrix, for every loss, method and variant."""
    errors = []
    near = (NEAR * start[0], NEAR * start[1])
    for loss, slopes in theory.SLOPES.items():
        for method in LINEAR:
            variants = [("none", 1, 0.0), ("r1", 1, 0.0)]
            if method in LINEAR[:2] and loss == "non-saturating":
                variants += [("r2", settings.steps_of_d, 0.0), ("r1", 2, settings.momentum)]
            for penalty, steps_of_d, momentum in variants:
                path = path_of(
                    settings,
                    loss,
                    penalty,
                    method,
                    start=near,
                    rounds=COMPARED,
                    steps_of_d=steps_of_d,
                    momentum=momentum,
                )
                weight = 0.0 if penalty == "none" else settings.weight
                matrix = theory.transition(method, slopes, settings.step, weight, steps_of_d, momentum)
                errors.append(_relative_error(path, matrix, method))
    return largest_error(
        "rounds-formula",
        say("rounds near rest, largest relative error of the formula"),
        torch.tensor(errors, dtype=torch.float64),
        of="no-rate",
        tolerance=1e-4,
        part="closed form",
    )


def _relative_error(path: np.ndarray, matrix: np.ndarray, method: str) -> float:
    """Return the largest difference of a path from powers of a matrix, over the size of both, while the game
    is near enough to rest to be linear.
    """
    state = np.concatenate([path[0], path[0] if method == "optimistic" else [0.0, 0.0]])
    largest = 0.0
    for measured in path[1:]:
        state = matrix @ state
        size = max(float(np.linalg.norm(state[:2])), NEAR)
        if size > 100 * NEAR:
            break
        largest = max(largest, float(np.linalg.norm(measured - state[:2])) / size)
    return largest


def _near_rest(settings: Settings) -> list[Measured]:
    """Compute the factor of a round near rest for every loss, and for momentum and more steps of D."""
    figures = []
    for loss, slopes in theory.SLOPES.items():
        for method in ("alternating", "simultaneous"):
            factor = theory.growth(theory.transition(method, slopes, settings.step))
            name = say("factor of a round near rest, {method}, {loss}", method=say(method), loss=loss)
            expected = 1.0
            if method == "simultaneous":
                expected = float(np.sqrt(1 + settings.step**2 * slopes.a * slopes.b))
            figures.append(
                claim(f"{method}-{loss}", name, factor, expected, of="no-rate", tolerance=1e-6, identity=True)
            )
    slopes = theory.SLOPES["non-saturating"]
    several = theory.transition("alternating", slopes, settings.step, 0.0, settings.steps_of_d)
    name = say("factor of a round near rest, {num} steps of D", num=settings.steps_of_d)
    figures.append(
        claim("factor-steps-of-d", name, theory.growth(several), 1.0, of="steps-of-d", tolerance=1e-6)
    )
    signs: tuple[tuple[str, float, Relation], ...] = (
        ("positive", settings.momentum, ">"),
        ("negative", -settings.momentum, "<"),
    )
    for key, momentum, relation in signs:
        factor = theory.growth(theory.transition("alternating", slopes, settings.step, momentum=momentum))
        name = say("factor of a round near rest, momentum {momentum:+g}", momentum=momentum)
        figures.append(
            claim(f"factor-{key}", name, factor, 1.0, of="momentum", relation=relation, tolerance=1e-9)
        )
    return figures


PLAYED = (
    *((loss, "none") for loss in theory.SLOPES),
    ("non-saturating", "r1"),
    ("non-saturating", "r2"),
    ("least-squares", "r1"),
    ("wasserstein", "r1"),
    ("wasserstein", "wgan-gp"),
)
"""Losses and penalties of the games that are played from distance 1."""


def _left(settings: Settings, start: tuple[float, float]) -> tuple[list[Measured], dict[str, np.ndarray]]:
    """Play games from distance 1; measure the largest distance in the last quarter of their rounds.

    An orbit that is kept holds its start, so that its largest distance is at least 1.
    """
    figures, paths = [], {}
    for loss, penalty in PLAYED:
        path = paths[f"{loss}, {penalty}"] = path_of(settings, loss, penalty, start=start)
        left, key = float(_late(path).max()), f"left-{penalty}-{loss}"
        if penalty != "none":
            name = say("distance left, {loss}, {penalty}", loss=loss, penalty=penalty.upper())
            figures.append(shown(key, name, left))
            continue
        name = say("distance left, {loss}, no penalty", loss=loss)
        figures.append(claim(key, name, left, KEPT, of="keeps-distance", relation=">"))
        if loss in theory.DAMPING:
            expected = theory.creeping_radius(loss, 1.0, 0.75 * settings.step * settings.rounds)
            name = say("distance left, {loss}, no penalty, against its closed form", loss=loss)
            figures.append(shown(f"creeps-{loss}", name, left, expected, tolerance=0.1))
    nearest = float(_late(paths["wasserstein, wgan-gp"]).min())
    name = say("WGAN-GP: smallest distance in the last quarter of the rounds")
    figures.append(claim("wgan-gp-nearest", name, nearest, REST, of="wgan-gp", relation=">"))
    return figures, paths


def _late(path: np.ndarray) -> np.ndarray:
    """Return the distances from rest in the last quarter of a path (T, 2)."""
    late = path[-(len(path) // 4) :]
    return np.hypot(late[:, 0], late[:, 1])


def _penalties(settings: Settings) -> list[Measured]:
    """Compute the factor of a round near rest with R1 for every loss, and with too large a weight."""
    figures = []
    for loss, slopes in theory.SLOPES.items():
        factor = theory.growth(theory.transition("alternating", slopes, settings.step, settings.weight))
        name = say("factor of a round near rest with R1, {loss}", loss=loss)
        figures.append(claim(f"factor-r1-{loss}", name, factor, 1.0, of="penalties", relation="<"))
    slopes = theory.SLOPES["non-saturating"]
    heavy = theory.growth(theory.transition("alternating", slopes, settings.step, 3 / settings.step))
    name = say("factor of a round near rest with R1 of weight 3/h")
    figures.append(limit("factor-heavy", name, heavy, 1.0, of="penalties", relation="<"))
    return figures
