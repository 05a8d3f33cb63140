"""An interactive page of the Dirac game: one file without anything to fetch, computed in the browser.

Its arithmetic is JavaScript. Beside it, the page holds final states that the trainer's own step has reached
(``reference_cases``), compares its values with them when it is opened, and says whether they are equal.
"""

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

from ganzfeld.durable import make_folder
from ganzfeld.lab.experiments.convergence import theory
from ganzfeld.lab.game import Replica, dirac
from ganzfeld.lab.game.dirac import Variant, trajectory
from ganzfeld.losses import Loss, losses
from ganzfeld.output import Mark, write_output
from ganzfeld.stabilisers import stabiliser

PENALTIES = ("none", "r1", "r2", "wgan-gp")
METHODS = ("alternating", "simultaneous", "extragradient", "optimistic", "adam")
START = (0.8, 0.5)
ROUNDS = 15

Reference = tuple[dict[str, Any], tuple[float, float], tuple[float, float]]
"""Settings of the page, the state at the start and the state at the end, (theta, psi)."""


def write_play(path: Path) -> None:
    """Write the page.

    Raises ``UsageError`` for a file of the user's, ``ResourceError`` if it cannot write.
    """
    make_folder(path.parent)
    write_output(path, page().encode(), Mark.LAB_PLAY)


def page() -> str:
    """Return the page, with the states that Python reaches."""
    template = (files("ganzfeld.lab") / "templates" / "play.html").read_text(encoding="utf-8")
    return template.replace("{{ cases }}", json.dumps(reference_cases()))


def reference_cases() -> list[Reference]:
    """Return the final states of games with every loss, method and penalty, by the trainer's own step."""
    cases = [
        settings_of(loss, method, penalty)
        for loss in losses.names()
        for method, penalty in zip(METHODS, (*PENALTIES, "r1"), strict=True)
    ]
    cases += [settings_of("non-saturating", method, penalty) for method in METHODS for penalty in PENALTIES]
    cases += [
        settings_of("minimax", method, "r1", steps_of_d=3, momentum=momentum)
        for method, momentum in (("alternating", 0.5), ("simultaneous", -0.5), ("adam", 0.0))
    ]
    return [(case, START, final_state(case)) for case in cases]


def settings_of(
    loss: str,
    method: str,
    penalty: str,
    *,
    weight: float = 0.7,
    step: float = 0.15,
    steps_of_d: int = 1,
    momentum: float = 0.0,
    rounds: int = ROUNDS,
) -> dict[str, Any]:
    """Return settings of the page, by the names of its fields."""
    return {
        "loss": loss,
        "method": method,
        "penalty": penalty,
        "weight": weight,
        "step": step,
        "steps_of_d": steps_of_d,
        "momentum": momentum,
        "rounds": rounds,
    }


def final_state(settings: dict[str, Any], start: tuple[float, float] = START) -> tuple[float, float]:
    """Return (theta, psi) after all rounds of a game with these settings."""
    penalty, loss = settings["penalty"], settings["loss"]
    penalties = [] if penalty == "none" else [stabiliser({"name": penalty, "weight": settings["weight"]})]
    game = dirac(
        settings["method"],
        [Replica(settings["step"])],
        loss=Loss(loss),
        stabilisers=penalties,
        start=start,
        variant=Variant(settings["momentum"], settings["steps_of_d"], theory.SLOPES[loss].logit),
    )
    theta, psi = trajectory(game, settings["rounds"] * settings["steps_of_d"])[-1, 0].tolist()
    return theta, psi
