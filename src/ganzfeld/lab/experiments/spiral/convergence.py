"""Where games converge, on the bench of ``spiral``: the largest steps, and a map over step and damping."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from ganzfeld.lab.estimate import Estimate
from ganzfeld.lab.experiments.spiral import Settings, theory
from ganzfeld.lab.game import METHODS, Replica, dirac
from ganzfeld.lab.game.dirac import state
from ganzfeld.lab.outcome import Measured, claim, shown

LINEAR = tuple(name for name in METHODS if name != "adam")
"""Methods whose rounds are linear in the state."""


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
        if predicted == 0:
            continue
        steps = shares * predicted
        replicas = [Replica(float(step)) for step in steps]
        growths = late_growth(name, replicas, num_rounds, settings.strength)
        fans[name] = [steps, growths]
        words = f"largest step without damping, {name}"
        largest = _first_growing(steps, growths > 1.1)
        figures.append(claim(f"largest-step-{name}", words, largest, predicted, of="spirals"))
    lg, ld = settings.lg, settings.ld
    if theory.frequency(lg, ld) > 0 and lg + ld > 0:
        predicted = theory.largest_simultaneous_step(lg, ld)
        steps = shares * predicted
        replicas = [Replica(float(step), lg, ld) for step in steps]
        largest = _first_growing(steps, late_growth("simultaneous", replicas, num_rounds) > 1.0)
        words = "largest simultaneous step with this damping"
        figures.append(claim("largest-step-damped", words, largest, predicted, of="spirals"))
    return figures, {"fans": fans}


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
    rests = (played["adam"] < 0.01).mean()
    undamped = played["adam"][:, 0, 0] / steps
    return [
        claim(
            "map",
            "share of the map's cells in which game and formula agree",
            agreeing / compared,
            1.0,
            of="spirals",
        ),
        shown("adam-rests", "share of the map's cells in which Adam comes to rest", float(rests)),
        shown(
            "adam-circle",
            "Adam without damping: smallest radius at the end, over the step size",
            float(undamped.min()),
        ),
    ], {"map_steps": steps, "map_damping": damping, "map": played}
