"""Where games converge, on the bench of ``spiral``: the largest steps, and a map over step and damping."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from ganzfeld.lab.estimate import Estimate
from ganzfeld.lab.experiments.spiral import Settings, theory
from ganzfeld.lab.game import METHODS, Replica, dirac
from ganzfeld.lab.game.dirac import state, trajectory
from ganzfeld.lab.language import say
from ganzfeld.lab.outcome import Measured, claim, shown

LINEAR = tuple(name for name in METHODS if name != "adam")
"""Methods whose rounds are linear in the state."""


WEAK = 0.7
"""The least strength of the consensus term whose largest step is looked for."""


def largest_steps(
    settings: Settings, methods: Sequence[str] = LINEAR
) -> tuple[list[Measured], dict[str, Any]]:
    """Play fans of games at steps around each predicted limit; find the step at which they begin to grow."""
    figures, fans = [], {}
    # Nearer to the limit a game grows more slowly, by about that distance per round.
    num_rounds = max(120, 10 * settings.fan)
    shares = np.linspace(0.95, 1.05, settings.fan)
    for name in methods:
        predicted = theory.largest_step(name, settings.strength)
        # A weak consensus term turns growth into decay so slowly that no game of this length shows it.
        if predicted == 0 or (name == "consensus" and settings.strength < WEAK):
            continue
        steps = shares * predicted
        replicas = [Replica(float(step)) for step in steps]
        growths = late_growth(name, replicas, num_rounds, settings.strength)
        fans[name] = [steps, growths]
        words = say("largest step without damping, {name}", name=name)
        largest = _first_growing(steps, growths > 1.1)
        figures.append(claim(f"largest-step-{name}", words, largest, predicted, of="spirals"))
    lg, ld = settings.lg, settings.ld
    predicted = theory.largest_simultaneous_step(lg, ld)
    # With a tinier step the growth of a round is lost in rounding.
    if theory.turning(lg, ld) > 0.05 and predicted > 1e-3:
        steps = shares * predicted
        factors = step_factors([Replica(float(step), lg, ld) for step in steps])
        largest = _first_growing(steps, factors > 1.0)
        words = say("largest simultaneous step with this damping")
        figures.append(claim("largest-step-damped", words, largest, predicted, of="spirals"))
    return figures, {"fans": fans}


def in_directions(path: np.ndarray, lg: float, ld: float) -> np.ndarray:
    """Split states (T, 2) along the eigenvectors of J, the slower one first, (T, 2).

    Every simultaneous step multiplies each part by the same number.
    """
    values, vectors = np.linalg.eig(theory.jacobian(lg, ld))
    return (path @ np.linalg.inv(vectors).T)[:, np.argsort(-np.real(values), kind="stable")]


def step_factors(replicas: Sequence[Replica], start: tuple[float, float] = (0.6, 0.8)) -> np.ndarray:
    """Play a simultaneous step with each of the replicas, which have the same damping, and return its factor
    on the part of the state that it stretches most, (replicas,).
    """
    path = trajectory(dirac("simultaneous", replicas, start=start), 1).numpy()
    parts = np.stack(
        [in_directions(path[:, place], *replica[1:]) for place, replica in enumerate(replicas)], 1
    )
    return np.abs(parts[1] / parts[0]).max(-1)


def _first_growing(steps: np.ndarray, grows: np.ndarray) -> Estimate:
    """Return the step between the first game that grows and the one before it; the error is their distance's.

    A gap in the order would come from a wrong formula, and shows as a wrong limit.
    """
    first = int(grows.argmax()) if grows.any() else len(steps) - 1
    largest = float((steps[first] + steps[max(first - 1, 0)]) / 2)
    return Estimate(largest, float((steps[1] - steps[0]) / np.sqrt(12)))


def late_growth(
    method: str, replicas: Sequence[Replica], num_rounds: int, strength: float = 1.0
) -> np.ndarray:
    """Return the largest radius in the last quarter over that in the second quarter, (replicas,)."""
    game = dirac(method, replicas, start=(0.6, 0.8), strength=strength)
    quarter = num_rounds // 4
    largest = []
    for _ in range(4):
        radii = []
        for _ in range(quarter):
            game.advance()
            radii.append(state(game).norm(dim=1))
        largest.append(torch.stack(radii).amax(0))
    # A game that has come to rest at 0 stays there.
    return (largest[3] / largest[1].clamp_min(1e-300)).numpy()


def map_of_convergence(settings: Settings, num_rounds: int) -> tuple[list[Measured], dict[str, Any]]:
    """Measure the region of convergence over (h, lg, ld), by games of every method and by formulas.

    Adam has no formula. Cells that grow or shrink too slowly for 60 rounds are not compared.
    """
    steps = np.geomspace(0.05, 2.5, settings.cells + 2)
    damping = np.concatenate([[0], np.geomspace(0.1, 2, settings.cells - 1)])
    cells = [(float(h), float(lg), float(ld)) for h in steps for lg in damping for ld in damping]
    replicas = [Replica(*cell) for cell in cells]
    shape = (len(steps), len(damping), len(damping))
    h, lg, ld = (np.array(axis) for axis in zip(*cells, strict=True))
    agreeing = compared = 0
    played = {}
    for name in LINEAR:
        computed = theory.growth(name, h, lg, ld, settings.strength)
        played[name] = late_growth(name, replicas, 60, settings.strength).reshape(shape)
        clear = np.abs(np.log(np.maximum(computed, 1e-12))) > 0.02
        agreeing += int(((played[name].ravel() > 1) == (computed > 1))[clear].sum())
        compared += int(clear.sum())
    adam = dirac("adam", replicas, start=(0.6, 0.8))
    adam.play(num_rounds * 3 // 4)
    radii = []
    for _ in range(num_rounds // 4):
        adam.advance()
        radii.append(state(adam).norm(dim=1))
    played["adam"] = torch.stack(radii).amax(0).numpy().reshape(shape)
    undamped = played["adam"][:, 0, 0] / steps
    cells_with_damping = played["adam"][:, 1:, 1:]
    return [
        claim(
            "adam-rests",
            say("share of the damped cells of the map in which Adam comes to rest"),
            float((cells_with_damping < 0.01).mean()),
            1.0,
            of="stable",
        ),
        claim(
            "map",
            say("share of the map's cells in which game and formula agree"),
            agreeing / compared,
            1.0,
            of="spirals",
        ),
        shown(
            "adam-circle",
            say("Adam without damping: smallest radius at the end, over the step size"),
            float(undamped.min()),
        ),
    ], {"map_steps": steps, "map_damping": damping, "map": played}
