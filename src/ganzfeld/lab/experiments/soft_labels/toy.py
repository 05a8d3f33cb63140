"""The bench of ``soft-labels``: logit gradients, optima, a generator that learns, and the temperature."""

import math
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import SGD

from ganzfeld.lab.estimate import array_mean_and_error
from ganzfeld.lab.experiments.soft_labels import KINDS, Settings, theory
from ganzfeld.lab.experiments.soft_labels.logit_gradients import logit_gradients, measured_gradients
from ganzfeld.lab.experiments.soft_labels.temperature import measured_temperature
from ganzfeld.lab.game import PointNetworks, PointTraining, game_of_points
from ganzfeld.lab.game.frozen import frozen
from ganzfeld.lab.language import say
from ganzfeld.lab.layers import central_difference
from ganzfeld.lab.outcome import Measured, claim, largest_error, shown
from ganzfeld.losses import Loss

RATE = 0.03
"""Learning rate of the toy's generator, which descends its plain gradient."""


def bench(settings: Settings, seed: int, thorough: bool) -> tuple[tuple[Measured, ...], dict[str, Any]]:
    """Measure logit gradients, optima and their slopes, how a generator learns, and the temperature."""
    gradients, curves = measured_gradients(settings)
    optima, slopes = _optima(settings)
    learned, courses = _learned(settings, seed)
    temperature = measured_temperature(settings, seed)
    figures = (*gradients, *optima, *learned, *temperature)
    return figures, {"gradients": curves, "slopes": slopes, "courses": courses}


def _optima(settings: Settings) -> tuple[list[Measured], dict[str, Any]]:
    """Find the best D by bisection, from the gradients of the catalogue's loss, and compare it with the
    formula.
    """
    log_ratio = torch.linspace(-12, 12, 241, dtype=torch.float64)
    figures, slopes = [], {"log_ratio": log_ratio.numpy()}
    for kind in KINDS:
        loss = settings.loss(kind)
        expected = theory.best_probability(log_ratio, loss.smoothing, loss.smooth_sides)
        slope = central_difference(partial(_bisected, loss), log_ratio, 1e-4)
        slopes[kind] = slope.numpy()
        figures += [
            largest_error(
                f"optimum-{kind}",
                say("best D, largest error of the formula, {kind}", kind=say(kind)),
                torch.sigmoid(_bisected(loss, log_ratio)) - expected,
                of="confident",
                tolerance=1e-9,
            ),
            largest_error(
                f"slope-{kind}",
                say("d logit / d log r, largest error of the formula, {kind}", kind=say(kind)),
                slope - theory.slope_in_ratio(log_ratio, loss.smoothing, loss.smooth_sides),
                of="generator",
                tolerance=1e-6,
            ),
        ]
    # With hard labels there is no alpha that r could be small against.
    return [*figures, *(_at_small_ratios(settings.alpha) if settings.alpha else [])], slopes


def _at_small_ratios(alpha: float) -> list[Measured]:
    """Measure the slope of the best logit where r is far below alpha: first order, and the pull."""
    log_ratio = torch.tensor([alpha / 1_000], dtype=torch.float64).log()
    slope = float(theory.slope_in_ratio(log_ratio, alpha, 2))
    pull = float(theory.slope_in_ratio(log_ratio + math.log(100), alpha, 2))
    return [
        claim(
            "first-order",
            say("slope at r = alpha/1000 over its first order, r (1 - 2 alpha) / (alpha (1 - alpha))"),
            slope / (1e-3 * (1 - 2 * alpha) / (1 - alpha)),
            1.0,
            of="generator",
            part="closed form",
            tolerance=0.01,
        ),
        claim(
            "pull",
            say("pull on a generated image at r = alpha/10, two-sided over hard"),
            pull,
            1.0,
            of="generator",
            tolerance=0.01,
        ),
    ]


def _bisected(loss: Loss, log_ratio: Tensor) -> Tensor:
    """Return the logit at which p_data dL/dreal + p_model dL/dfake = 0, from the loss alone."""
    low, high = torch.full_like(log_ratio, -60), torch.full_like(log_ratio, 60)
    real_share = torch.sigmoid(log_ratio)
    for _ in range(70):
        middle = (low + high) / 2
        to_real, to_fake = logit_gradients(loss, middle)
        above = real_share * to_real + (1 - real_share) * to_fake > 0
        low, high = torch.where(above, low, middle), torch.where(above, middle, high)
    return (low + high) / 2


class _Shifted(nn.Module):
    """A generator that shifts the latents of each replica by one learned number; replicas take turns in a
    batch.
    """

    def __init__(self, replicas: int, start: float) -> None:
        super().__init__()
        self.shift = nn.Parameter(torch.full((replicas,), start))

    def forward(self, latents: Tensor) -> Tensor:
        """Shift latents (n * replicas, 1), to the same shape."""
        return (latents.view(-1, len(self.shift)) + self.shift).view(-1, 1)


def _learned(settings: Settings, seed: int) -> tuple[list[Measured], dict[str, Any]]:
    """Train a generator of N(m, 1) on real points N(0, 1), and measure the distance m after the game.

    D begins alone. The generator descends its plain gradient: with Adam the size of the pull would not count.
    """
    courses: dict[str, Any] = {}
    for kind in KINDS:
        generator = _Shifted(settings.seeds, settings.distance)
        game = game_of_points(
            lambda num, noise: torch.randn(num, 1, generator=noise),
            loss=settings.loss(kind),
            networks=PointNetworks(settings.seeds, latent_size=1, generator=generator),
            training=PointTraining(seed, num_points=64, rates=(RATE, 1e-2)),
        )
        gan, game.gan = game.gan, frozen(game.gan)
        game.play(settings.num_rounds // 2)
        gan.generator_optimizer = SGD(generator.parameters(), lr=RATE, fused=True)
        game.gan = gan
        course = [generator.shift.detach().clone()]
        for _ in range(settings.num_rounds):
            game.advance()
            course.append(generator.shift.detach().clone())
        courses[kind] = torch.stack(course).abs().numpy()
    behind = courses["two-sided"][-1] - courses["hard"][-1]
    figures = [
        shown(
            f"left-{kind}",
            say("distance from the data after the game, {kind}", kind=say(kind)),
            array_mean_and_error(course[-1]),
            num_trainings=settings.seeds,
        )
        for kind, course in courses.items()
    ]
    figures.append(
        claim(
            "left-behind",
            say("distance from the data after the game, two-sided minus hard"),
            array_mean_and_error(behind),
            0.0,
            of="generator",
            relation="<",
            num_trainings=settings.seeds,
        )
    )
    shifts = torch.linspace(0.05, max(6.0, settings.distance), 100, dtype=torch.float64)
    pulls = {
        kind: theory.pull_of_best(
            shifts, settings.loss(kind).smoothing, settings.loss(kind).smooth_sides
        ).numpy()
        for kind in KINDS
    }
    return figures, {"played": courses, "shifts": shifts.numpy(), "pulls": pulls}
