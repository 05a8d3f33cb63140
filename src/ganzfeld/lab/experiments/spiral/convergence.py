"""Where play converges, on the bench of ``spiral``: the largest steps, and a map over step and damping."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from ganzfeld.lab.estimate import Estimate
from ganzfeld.lab.experiments.spiral import Settings, theory
from ganzfeld.lab.game import METHODS, Replica, dirac
from ganzfeld.lab.game.dirac import state
from ganzfeld.lab.outcome import Measured, claim, shown

LINEAR = tuple(name for name, method in METHODS.items() if name != "adam")


def largest_steps(settings: Settings) -> tuple[list[Measured], dict[str, Any]]:
    """Play fans of games without damping at steps around the predicted limit, and find where they begin to
    grow.
    """
    figures, fans = [], {}
    # Nearer to the limit a game grows more slowly, by about that distance per round.
    num_rounds = max(120, 10 * settings.fan)
    for name in LINEAR:
        predicted = theory.largest_step(name, settings.strength)
        if predicted == 0:
            continue
        shares = np.linspace(0.95, 1.05, settings.fan)
        steps = shares * predicted
        replicas = [Replica(float(step)) for step in steps]
        growths = late_growth(name, replicas, num_rounds, settings.strength)
        grows = growths > 1.1
        # The first that grows: a gap in the order would be a wrong formula, and shows as a wrong limit.
        first = int(grows.argmax()) if grows.any() else len(steps) - 1
        largest = float((steps[first] + steps[max(first - 1, 0)]) / 2)
        spacing = float(steps[1] - steps[0])
        fans[name] = [steps, growths]
        figures.append(
            claim(
                f"largest-step-{name}",
                f"largest step without damping, {name}",
                Estimate(largest, float(spacing / np.sqrt(12))),
                predicted,
                of="spirals",
            )
        )
    lg, ld = settings.lg, settings.ld
    if theory.frequency(lg, ld) > 0 and lg + ld > 0:
        predicted = theory.largest_simultaneous_step(lg, ld)
        steps = np.linspace(0.95, 1.05, settings.fan) * predicted
        replicas = [Replica(float(step), lg, ld) for step in steps]
        grows = late_growth("simultaneous", replicas, num_rounds) > 1.0
        first = int(grows.argmax()) if grows.any() else len(steps) - 1
        figures.append(
            claim(
                "largest-step-damped",
                "largest simultaneous step with this damping",
                Estimate(
                    float((steps[first] + steps[max(first - 1, 0)]) / 2),
                    float((steps[1] - steps[0]) / np.sqrt(12)),
                ),
                predicted,
                of="spirals",
            )
        )
    return figures, {"fans": fans}


def late_growth(
    method: str, replicas: Sequence[Replica], num_rounds: int, strength: float = 1.0
) -> np.ndarray:
    """Return by how much the largest radius of the last quarter exceeds that of the second, (replicas,)."""
    game = dirac(method, replicas, start=(0.6, 0.8), strength=strength)
    quarter = num_rounds // 4
    tops = []
    for _ in range(4):
        radii = []
        for _ in range(quarter):
            game.advance()
            radii.append(state(game).norm(dim=1))
        tops.append(torch.stack(radii).amax(0))
    # A game that has come to rest stays there.
    return (tops[3] / tops[1].clamp_min(1e-300)).numpy()


def map_of_convergence(settings: Settings, num_rounds: int) -> tuple[list[Measured], dict[str, Any]]:
    """Measure the region of convergence over (h, lg, ld): played by every method, computed where there is a
    form.

    Cells that grow or shrink by less than 1 % per round are left out of the comparison.
    """
    steps = np.geomspace(0.05, 2.5, settings.cells + 2)
    damping = np.concatenate([[0], np.geomspace(0.1, 2, settings.cells - 1)])
    cells = [(float(h), float(lg), float(ld)) for h in steps for lg in damping for ld in damping]
    replicas = [Replica(*cell) for cell in cells]
    shape = (len(steps), len(damping), len(damping))
    h, lg, ld = (np.array(axis) for axis in zip(*cells, strict=True))
    right = decided = 0
    played = {}
    for name in LINEAR:
        computed = theory.growth(name, h, lg, ld, settings.strength)
        played[name] = late_growth(name, replicas, 60, settings.strength).reshape(shape)
        clear = np.abs(np.log(np.maximum(computed, 1e-12))) > 0.02
        right += int(((played[name].ravel() > 1) == (computed > 1))[clear].sum())
        decided += int(clear.sum())
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
        claim("map", "cells of the map in which play and formula agree", right / decided, 1.0, of="spirals"),
        shown("adam-rests", "cells in which Adam comes to rest", float(rests)),
        shown(
            "adam-circle",
            "Adam without damping: radius at the end over step size, smallest",
            float(undamped.min()),
        ),
    ], {"map_steps": steps, "map_damping": damping, "map": played}
