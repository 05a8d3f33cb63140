"""Training turns: the eigenvalues of the linearised game, and what the step size makes of them.

The engine and its closed forms: ``ganzfeld.lab.game``.
"""

from collections.abc import Sequence
from typing import Any, final

import numpy as np
import torch
from matplotlib.figure import Figure
from pydantic import Field

from ganzfeld.errors import UsageError
from ganzfeld.lab.experiments.spiral.figure import drawn
from ganzfeld.lab.game import METHODS, Board, dirac, linear
from ganzfeld.lab.game.dirac import state, trajectory
from ganzfeld.lab.game.play import gradients_of, weights_of
from ganzfeld.lab.game.rotation import eigenvalues_of_play, rhythm
from ganzfeld.lab.live import Live
from ganzfeld.lab.outcome import Measured
from ganzfeld.losses import Loss, losses
from ganzfeld.recipes.schema import Section
from ganzfeld.stabilisers import stabiliser
from ganzfeld.training.step import Moment

CLAIM = "Near its rest point a GAN turns: its linearised game has complex eigenvalues, so training spirals."
CLAIM_ZH = "在平衡点附近线性化后的博弈具有一对共轭复特征值，训练呈螺旋式振荡：振荡是 GAN 训练固有的倾向。"
SECTION = "训练动态与损失函数：极小极大优化的挑战：振荡"
FORMULAS = {
    "the flow of the linear game": r"\dot x = -\lambda_g x + y,\quad \dot y = -x - \lambda_d y",
    "eigenvalues": r"-\frac{\lambda_g+\lambda_d}{2} \pm i\omega,\quad "
    r"\omega = \frac{\sqrt{4-(\lambda_g-\lambda_d)^2}}{2}",
    "a simultaneous step of size h": r"|1 + h\lambda|",
    "largest stable step without damping": r"\mathrm{alternating}\ 2,\ \mathrm{extragradient}\ 1,\ "
    r"\mathrm{optimistic}\ 1/\sqrt{3}",
}

SLOW = 0.01
"""The step size at which a played game without damping is near its flow."""

ROUNDS = 90
"""Of the trajectories in the portrait."""

MOST_ROUNDS = 6_000

LINEAR = tuple(name for name, method in METHODS.items() if name != "adam")


@final
class Settings(Section):
    """``lg`` and ``ld``: what generator and discriminator pay for their size. ``step``: the step size h.
    ``strength``: of the consensus term. ``cells``: of the map of convergence, along each axis.
    ``fan``: step sizes tried around a predicted limit; an even number leaves out the limit itself.
    """

    lg: float = Field(default=0.1, ge=0, le=10)
    ld: float = Field(default=0.5, ge=0, le=10)
    step: float = 0.2
    strength: float = 1.0
    cells: int = Field(default=6, ge=2, le=20)
    fan: int = Field(default=12, ge=4, le=100, multiple_of=2)

    def model_post_init(self, context: Any) -> None:
        """Refuse steps that lead nowhere."""
        for name in ("step", "strength"):
            if not 0 < getattr(self, name) <= 10:
                raise UsageError(
                    f"{name} is above 0 and at most 10, not {getattr(self, name)}",
                    "The time unit is that in which the game turns by one radian.",
                )


SHORT = {"cells": 2, "fan": 4}
THOROUGH = {"cells": 10, "fan": 40}


def bench(settings: Settings, seed: int, thorough: bool) -> tuple[tuple[Measured, ...], dict[str, Any]]:
    """The closed forms against algebra, autograd and the played game."""
    at_rest, rests = _at_rest()
    played, data = _played(settings, seed)
    limits, fans = _largest_steps(settings)
    regions, maps = _map(settings, 480 if thorough else 240)
    figures = (*_algebra(settings), *at_rest, *played, *limits, *regions)
    return figures, {"settings": settings.model_dump(), "rests": rests, **data, **fans, **maps}


def _algebra(settings: Settings) -> tuple[Measured, ...]:
    """Closed eigenvalues and omega against those of the matrix, away from the two where both become one."""
    pairs = [(settings.lg, settings.ld), *((lg, ld) for lg in (0, 0.3, 0.9, 3.1) for ld in (0, 0.2, 1.7))]
    off_values, off_turns = 0.0, 0.0
    for lg, ld in pairs:
        if abs(abs(lg - ld) - 2) < 0.05:
            continue
        found = np.sort_complex(np.linalg.eigvals(linear.jacobian(lg, ld)))
        closed = np.sort_complex(np.array(linear.eigenvalues(lg, ld)))
        off_values = max(off_values, float(np.abs(closed - found).max()))
        off_turns = max(off_turns, abs(linear.frequency(lg, ld) - float(np.abs(np.imag(found)).max())))
    return (
        Measured(
            "eigenvalues, largest error of the formula", off_values, 0, 0.0, "claim", "closed form", 1e-12
        ),
        Measured("omega, largest error of the formula", off_turns, 0, 0.0, "claim", "closed form", 1e-12),
    )


def _at_rest() -> tuple[list[Measured], dict[str, list[float]]]:
    """The Jacobian at rest of a game with each loss of the catalogue and R1, by autograd."""
    weight, rests = 0.4, {}
    for name in losses.names():
        # At temperature 1/2 a logistic loss has slope 1 at the logit 0.
        loss = Loss(name) if losses.load(name).NO_TEMPERATURE else Loss(name, temperature=0.5)
        r1 = stabiliser({"name": "r1", "weight": weight})
        game = dirac("simultaneous", [Board(1.0)], loss=loss, stabilisers=[r1], start=(0.0, 0.0))
        real, latents = game.draw(torch.Generator())
        gradients = gradients_of(game.players, game.rules, real, latents, game.moment())
        weights = weights_of(game.players)
        rows = [
            torch.autograd.grad(part.sum(), weights, retain_graph=True, materialize_grads=True)
            for part in gradients
        ]
        rests[name] = [-float(value) for row in rows for value in row]
    expected = linear.jacobian(0.0, weight).flatten()
    errors = {name: float(np.abs(np.array(found) - expected).max()) for name, found in rests.items()}
    alike = sorted(name for name, error in errors.items() if error < 1e-12)
    return [
        Measured(
            "Jacobian of the played game (Wasserstein, R1), largest error",
            errors["wasserstein"],
            0,
            0.0,
            "claim",
            "bench",
            1e-12,
        ),
        Measured("losses with that Jacobian at rest", len(alike), 0, None, "shown", "bench"),
        Measured(
            "least squares: slope of D's pull at rest",
            rests["least-squares"][2],
            0,
            -1.0,
            "limit",
            "bench",
            1e-12,
        ),
    ], rests


def _played(settings: Settings, seed: int) -> tuple[list[Measured], dict[str, Any]]:
    """Trajectories at the step size of the settings and at a slow one, against the formulas."""
    lg, ld, step = settings.lg, settings.ld, settings.step
    angle = np.random.default_rng(seed).uniform(0, 2 * np.pi)
    start = (float(np.cos(angle)), float(np.sin(angle)))
    paths = {
        name: trajectory(dirac(name, [Board(step, lg, ld)], start=start, strength=settings.strength), ROUNDS)[
            :, 0
        ].numpy()
        for name in METHODS
    }
    omega, decay = linear.frequency(lg, ld), (lg + ld) / 2
    figures = []
    small = SLOW / (1 + decay)
    num = int(2.2 * np.pi / max(omega, 1e-9) / small)  # two changes of sign at least
    if num <= MOST_ROUNDS:
        slow = trajectory(dirac("simultaneous", [Board(small, lg, ld)], start=start), num)[:, 0].numpy()
        turned = frequency_of(slow[:, 0]) / small
        figures.append(
            Measured("frequency of the simulated game", turned, 0, omega, "claim", "bench", 0.01 * omega)
        )
        size = np.log(np.linalg.norm(_own(slow, lg, ld), axis=1))
        figures.append(
            Measured(
                "decay of the simulated game a unit of time",
                float((size[0] - size[-1]) / (num * small)),
                0,
                decay,
                "claim",
                "bench",
                0.01 * max(1.0, decay),
            )
        )
    radius = np.linalg.norm(_own(paths["simultaneous"], lg, ld), axis=1)
    per_step = float((radius[1:] / radius[:-1]).max())
    undamped = trajectory(dirac("simultaneous", [Board(step)], start=start), 1)[:, 0].norm(dim=1)
    factor = float(undamped[1] / undamped[0])
    figures += [
        Measured(
            "a simultaneous step multiplies the radius by",
            per_step,
            0,
            linear.growth_of_simultaneous(step, lg, ld),
            "claim",
            "bench",
            1e-9,
        ),
        Measured("growth of the radius in a step without damping", factor, 0, 1.0, "limit", "bench", 1e-12),
        Measured(
            "decay a unit of time at this step",
            -float(np.log(per_step)) / step,
            0,
            -max(value.real for value in linear.eigenvalues(lg, ld)),
            "limit",
            "bench",
            1e-6,
        ),
    ]
    return figures, {"paths": paths}


def frequency_of(series: np.ndarray) -> float:
    """Radians a step between the first and the last change of sign; 0 with fewer than two."""
    (places,) = np.nonzero(np.diff(np.sign(series)))
    if len(places) < 2:
        return 0.0
    exact = places + series[places] / (series[places] - series[places + 1])
    return float(np.pi * (len(places) - 1) / (exact[-1] - exact[0]))


def _own(path: np.ndarray, lg: float, ld: float) -> np.ndarray:
    """States (T, 2) in the slower own direction of J (T, 1): there a step multiplies by a single number."""
    values, vectors = np.linalg.eig(linear.jacobian(lg, ld))
    return (path @ np.linalg.inv(vectors).T)[:, [int(np.real(values).argmax())]]


def _largest_steps(settings: Settings) -> tuple[list[Measured], dict[str, Any]]:
    """Fans of games without damping at steps around the predicted limit: where do they begin to grow?"""
    figures, fans = [], {}
    # Nearer to the limit a game grows more slowly, by about the distance a round.
    num_rounds = max(120, 10 * settings.fan)
    for name in LINEAR:
        predicted = linear.largest_step(name, settings.strength)
        if predicted == 0:
            continue
        shares = np.linspace(0.95, 1.05, settings.fan)
        steps = shares * predicted
        boards = [Board(float(step)) for step in steps]
        growths = late_growth(name, boards, num_rounds, settings.strength)
        grows = growths > 1.1
        # The first that grows: a gap in the order would be a wrong formula, and shows as a wrong limit.
        first = int(grows.argmax()) if grows.any() else len(steps) - 1
        found = float((steps[first] + steps[max(first - 1, 0)]) / 2)
        spacing = float(steps[1] - steps[0])
        fans[name] = [steps, growths]
        figures.append(
            Measured(
                f"largest step without damping, {name}",
                found,
                float(spacing / np.sqrt(12)),
                predicted,
                "claim",
                "bench",
            )
        )
    lg, ld = settings.lg, settings.ld
    if linear.frequency(lg, ld) > 0 and lg + ld > 0:
        predicted = linear.largest_simultaneous_step(lg, ld)
        steps = np.linspace(0.95, 1.05, settings.fan) * predicted
        boards = [Board(float(step), lg, ld) for step in steps]
        grows = late_growth("simultaneous", boards, num_rounds) > 1.0
        first = int(grows.argmax()) if grows.any() else len(steps) - 1
        figures.append(
            Measured(
                "largest simultaneous step with this damping",
                float((steps[first] + steps[max(first - 1, 0)]) / 2),
                float((steps[1] - steps[0]) / np.sqrt(12)),
                predicted,
                "claim",
                "bench",
            )
        )
    return figures, {"fans": fans}


def late_growth(method: str, boards: Sequence[Board], num_rounds: int, strength: float = 1.0) -> np.ndarray:
    """By how much the largest radius of the last quarter exceeds that of the second, a board."""
    game = dirac(method, boards, start=(0.6, 0.8), strength=strength)
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


def _map(settings: Settings, num_rounds: int) -> tuple[list[Measured], dict[str, Any]]:
    """The region of convergence over (h, lg, ld): played by every method, computed where there is a form.

    Cells that grow or shrink by less than 1 % a round are left out of the comparison.
    """
    steps = np.geomspace(0.05, 2.5, settings.cells + 2)
    damping = np.concatenate([[0], np.geomspace(0.1, 2, settings.cells - 1)])
    cells = [(float(h), float(lg), float(ld)) for h in steps for lg in damping for ld in damping]
    boards = [Board(*cell) for cell in cells]
    shape = (len(steps), len(damping), len(damping))
    h, lg, ld = (np.array(axis) for axis in zip(*cells, strict=True))
    right = decided = 0
    played = {}
    for name in LINEAR:
        computed = linear.growth(name, h, lg, ld, settings.strength)
        played[name] = late_growth(name, boards, 60, settings.strength).reshape(shape)
        clear = np.abs(np.log(np.maximum(computed, 1e-12))) > 0.02
        right += int(((played[name].ravel() > 1) == (computed > 1))[clear].sum())
        decided += int(clear.sum())
    adam = dirac("adam", boards, start=(0.6, 0.8))
    adam.play(num_rounds * 3 // 4)
    radii = []
    for _ in range(num_rounds // 4):
        adam.advance()
        radii.append(state(adam).norm(dim=1))
    played["adam"] = torch.stack(radii).amax(0).numpy().reshape(shape)
    rests = (played["adam"] < 0.01).mean()
    undamped = played["adam"][:, 0, 0] / steps
    return [
        Measured(
            "cells of the map in which play and formula agree", right / decided, 0, 1.0, "claim", "bench"
        ),
        Measured("cells in which Adam comes to rest", float(rests), 0, None, "shown", "bench"),
        Measured(
            "Adam without damping: radius at the end over step size, smallest",
            float(undamped.min()),
            0,
            None,
            "shown",
            "bench",
        ),
    ], {"map_steps": steps, "map_damping": damping, "map": played}


def in_situ(live: Live, settings: Settings, seed: int) -> tuple[tuple[Measured, ...], dict[str, Any]]:
    """The eigenvalues of the live game, and the rhythm of its logits.

    Eigenvalues: at the last stage, on one batch, in the units of a step of its Adam. A pair counts as complex
    if its imaginary part is more than twice what its residual allows.
    """
    trainer = live.trainer()
    num = min(64, live.recipe.batch * 4)
    moment = Moment(1, trainer.progress, torch.Generator().manual_seed(seed))
    found = eigenvalues_of_play(
        trainer.players, trainer.rules, live.real(num, seed), live.latents(num, seed), moment, 24, seed
    )
    turns = np.imag(found.values)
    turning = turns > 2 * found.residuals
    fastest = int(np.where(turning, turns, -1).argmax())
    figures = [
        Measured(
            "live game has complex pairs (0: none, 1: some)",
            float(turning.any()),
            0,
            1.0,
            "claim",
            "in situ",
        ),
        Measured(
            "fastest turn of the live game, radians a step",
            float(turns[fastest]) if turning.any() else 0.0,
            float(found.residuals[fastest]),
            None,
            "shown",
            "in situ",
        ),
    ]
    data: dict[str, Any] = {"ritz": found.values, "ritz_errors": found.residuals}
    entries = [entry for entry in live.journal if "logit_real" in entry and "logit_fake" in entry]
    if len(entries) >= 64:
        # The beginning is another regime: the second half only.
        gap = np.array([entry["logit_real"] - entry["logit_fake"] for entry in entries])[len(entries) // 2 :]
        heard = rhythm(gap, 400, seed)
        figures += [
            Measured(
                "chance that noise shows as strong a rhythm in the logits",
                heard.chance,
                heard.error,
                0.0,
                "limit",
                "in situ",
                0.05,
            ),
            Measured(
                "period of the strongest rhythm, entries of the journal",
                2 * np.pi / heard.frequency,
                0,
                None,
                "shown",
                "in situ",
            ),
        ]
        data |= {"gap": gap, "powers": heard.powers, "chance": heard.chance}
    return tuple(figures), data


def advice(figures: Sequence[Measured]) -> str:
    """What to do about turning."""
    by_name = {figure.name: figure for figure in figures}
    factor = by_name["growth of the radius in a step without damping"].value
    chance = by_name.get("chance that noise shows as strong a rhythm in the logits")
    heard = ""
    if chance is not None:
        heard = (
            " In the logits of this training a rhythm stands out from noise."
            if chance.agrees
            else " In the logits of this training no rhythm stands out: noise with the same memory shows as "
            f"strong a one with probability {chance.value:.2f}."
        )
    return (
        "Turning itself does no harm; what decides is whether the steps turn it inwards or outwards. "
        f"Simultaneous steps always lose (here by a factor of {factor:.3f} a step) unless something damps: "
        "update in turn, as the trainer does, and give the discriminator R1, which is the damping ld of this "
        "game. Adam with a constant rate does not come to rest but circles at a distance proportional to its "
        "rate, so let the rate fall or average the weights." + heard
    )


def draw(outcome: Any) -> Figure:
    """The phase portrait with the methods over it, their regions of convergence, and the live game."""
    return drawn(outcome)
