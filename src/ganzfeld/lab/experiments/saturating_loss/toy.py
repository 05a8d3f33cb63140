"""The bench of ``saturating-loss``: derivatives, break points, and a frozen generator."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ganzfeld.lab.estimate import array_mean_and_error
from ganzfeld.lab.experiments.saturating_loss import TWO, Settings, theory
from ganzfeld.lab.experiments.saturating_loss.breaks import break_points
from ganzfeld.lab.game import PointNetworks, PointTraining, game_of_points, ring
from ganzfeld.lab.game.frozen import frozen, look_rounds, pull, slope
from ganzfeld.lab.language import Phrase, say
from ganzfeld.lab.layers import central_difference, slope_of
from ganzfeld.lab.outcome import Measured, claim, formula_errors, limit, shown
from ganzfeld.losses import Loss, losses
from ganzfeld.training.step import GANState

REJECTED = -5.0
"""Logit of a generated image that D rejects with confidence: D is 0.0067 there."""

SMALL, LARGE = 0.1, 10.0
"""Slopes below the first are small, and above the second very large."""


def bench(settings: Settings, seed: int, thorough: bool) -> tuple[tuple[Measured, ...], dict[str, Any]]:
    """Measure derivatives, break points, and a generator of points frozen while its discriminator learns."""
    breaks, scans = break_points()
    toys, courses = _toy(settings, seed)
    return (*_derivatives(), *_reasons(), *breaks, *toys), {"scans": scans, **courses}


def _derivatives() -> list[Measured]:
    """Compare the closed forms with autograd through the catalogue's losses, and with differences."""
    logits = torch.linspace(-30, 30, 1024)
    middle = torch.linspace(-8, 8, 161, dtype=torch.float64)
    naive: dict[str, Callable[[Tensor], Tensor]] = {
        "minimax": lambda logits: torch.log(1 - torch.sigmoid(logits)),
        "non-saturating": lambda logits: -torch.log(torch.sigmoid(logits)),
    }
    figures = []
    for name in TWO:
        closed = theory.SLOPES[name]
        by_autograd = slope(Loss(name), logits, logits) - closed(logits.double())
        by_differences = central_difference(naive[name], middle, 1e-4) - closed(middle)
        figures += formula_errors(
            (f"formula-{name}", f"differences-{name}"),
            say("slope of {name}", name=name),
            (by_autograd, by_differences),
            of=name,
            tolerances=(1e-7, 1e-8),
        )
    return figures


def _reasons() -> list[Measured]:
    """Measure what vanishes where D is near 0: not the slope of log(1 - D) in D, but that of D in the logit.

    All by autograd in float64, at the logit ``REJECTED``.
    """
    at = torch.tensor(REJECTED, dtype=torch.float64)
    probability = torch.sigmoid(at)
    by_probability = {
        "minimax": slope_of(lambda d: torch.log(1 - d), probability),
        "non-saturating": slope_of(lambda d: -torch.log(d), probability),
    }
    closed = {
        "minimax": theory.minimax_by_probability(float(probability)),
        "non-saturating": theory.non_saturating_by_probability(float(probability)),
    }
    where = say("at the logit {logit:g}", logit=REJECTED)
    figures = [
        claim(
            f"by-d-{name}",
            say("slope of {name} in D {where}", name=name, where=where),
            float(by_probability[name]),
            closed[name],
            of=name,
            tolerance=1e-9 * abs(closed[name]),
        )
        for name in TWO
    ]
    sizes = {name: float(slopes) for name, slopes in by_probability.items()}
    return [*figures, *_sizes(sizes, float(slope_of(torch.sigmoid, at)), where)]


def _sizes(by_probability: dict[str, float], sigmoid: float, where: Phrase) -> list[Measured]:
    """Compare the sizes of both slopes in D, and that of the sigmoid's slope, with what the reasons need."""
    return [
        claim(
            "sigmoid-slope",
            say("slope of the sigmoid {where}", where=where),
            sigmoid,
            theory.sigmoid_slope(REJECTED),
            of="minimax",
            tolerance=1e-12,
        ),
        claim(
            "reason",
            say("size of the slope of log(1 - D) in D {where}, small if the reason is right", where=where),
            abs(by_probability["minimax"]),
            SMALL,
            relation="<",
            of="reason",
        ),
        claim(
            "large-by-d",
            say("size of the slope of -log D in D {where}", where=where),
            abs(by_probability["non-saturating"]),
            LARGE,
            relation=">",
            of="large",
        ),
        limit(
            "large-by-logit",
            say("size of the slope of -log D in the logit {where}", where=where),
            abs(by_probability["non-saturating"]) * sigmoid,
            LARGE,
            relation=">",
            of="large",
        ),
    ]


def _toy(settings: Settings, seed: int) -> tuple[list[Measured], dict[str, Any]]:
    """Freeze untrained generators on a ring of 8, one replica per seed, while each loss trains D, and measure
    its pull.
    """
    mixture, rounds = ring(), look_rounds(settings.num_steps)
    latents = torch.randn(settings.seeds * 256, 2, generator=torch.Generator().manual_seed(seed))
    real = mixture.sample(settings.seeds * 256, torch.Generator().manual_seed(seed))
    courses, slopes_of = {}, {}
    error, mean = 0.0, 0.5
    for name in losses.names():
        loss = Loss(name)
        game = game_of_points(
            mixture.sample,
            loss=loss,
            networks=PointNetworks(settings.seeds),
            training=PointTraining(seed, num_points=settings.num_points, rates=(1.0, 3e-3)),
        )
        game.gan = frozen(game.gan)
        norms, slopes = [], []
        for round_number in rounds:
            game.play(round_number - game.index)
            gradients, mean_slope = pull_of(game.gan, loss, real, latents)
            norms.append(_norms(gradients))
            slopes.append(mean_slope)
            if name in theory.SLOPES:
                error = max(error, _formula_error(game.gan, name, latents, norms[-1]))
        courses[name], slopes_of[name] = np.array(norms), np.array(slopes)
        if name == "non-saturating":  # minimax trains D in the same way
            with torch.no_grad():
                mean = float(torch.sigmoid(game.gan.discriminator(game.gan.generator(latents))).mean())
    return _compared(courses, slopes_of, error, mean), {
        "courses": courses,
        "slopes": slopes_of,
        "moments": rounds,
    }


def pull_of(gan: GANState, loss: Loss, real: Tensor, latents: Tensor) -> tuple[list[Tensor], float]:
    """Return the gradient at the generators' weights, and the mean absolute slope of the loss by logits."""
    with torch.no_grad():
        at_real = gan.discriminator(real)
        at_fake = gan.discriminator(gan.generator(latents))
    gradients = pull(gan, latents, lambda logits: slope(loss, at_real, logits))
    return gradients, float(slope(loss, at_real, at_fake).abs().mean())


def _norms(gradients: Sequence[Tensor]) -> np.ndarray:
    """Return the norms of gradients, (replicas,); the generators' tensors have an entry per replica."""
    squares = [gradient.square().flatten(1).sum(1) for gradient in gradients]
    return torch.stack(squares).sum(0).sqrt().numpy()


def _formula_error(gan: GANState, name: str, latents: Tensor, norms: np.ndarray) -> float:
    """Return the largest relative error of the gradient's norm from the closed form, over the replicas."""
    return float(np.abs(_norms(pull(gan, latents, theory.SLOPES[name])) / norms - 1).max())


def _compared(
    courses: dict[str, np.ndarray], slopes_of: dict[str, np.ndarray], error: float, mean: float
) -> list[Measured]:
    """Compare the gradient at the end with that at the beginning, as a factor.

    The theory of the logit predicts that it changes as the mean slope of the loss does.
    """
    factors = {name: np.log10(course[-1] / course[0]) for name, course in courses.items()}
    ratio = np.log10(courses["minimax"][-1] / courses["non-saturating"][-1])
    figures = [
        claim(
            "gradient-formula",
            say("gradient at the weights, largest error of the formula"),
            error,
            0.0,
            of="minimax",
            tolerance=1e-4,
        ),
        claim(
            "strong-ratio",
            say("log10 of the minimax over the non-saturating gradient, strong D"),
            array_mean_and_error(ratio),
            0.0,
            relation="<",
            of="keeps",
            num_trainings=len(ratio),
        ),
        claim(
            "fades",
            say("log10 of the minimax gradient at the weights, strong D over at first"),
            array_mean_and_error(factors["minimax"]),
            0.0,
            relation="<",
            of="fades",
            num_trainings=len(ratio),
        ),
        claim(
            "keeps",
            say("log10 of the non-saturating gradient at the weights, strong D over at first"),
            array_mean_and_error(factors["non-saturating"]),
            0.0,
            relation=">",
            of="keeps",
            num_trainings=len(ratio),
        ),
    ]
    for name, last in (("minimax", mean), ("non-saturating", 1 - mean)):
        title = say("mean slope of {name}, strong D", name=name)
        figures.append(
            claim(f"strong-slope-{name}", title, float(slopes_of[name][-1]), last, of=name, tolerance=1e-5)
        )
    return [*figures, *(_left(name, values, slopes_of[name]) for name, values in factors.items())]


def _left(name: str, values: np.ndarray, slopes: np.ndarray) -> Measured:
    """Build the figure of the log10 of what is left of a loss's gradient, by replica."""
    key, measured, num = f"left-{name}", array_mean_and_error(values), len(values)
    words = say("log10 of the gradient with a strong D, over that at first, {name}", name=name)
    if name not in TWO:
        return shown(key, words, measured, num_trainings=num)
    expected, tolerance = float(np.log10(slopes[-1] / slopes[0])), math.log10(1.5)
    return limit(key, words, measured, expected, of=name, tolerance=tolerance, num_trainings=num)
