"""The bench of ``saturating-loss``: derivatives, break points, and a frozen generator."""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ganzfeld.lab.estimate import array_mean_and_error
from ganzfeld.lab.experiments.saturating_loss import TWO, Settings, theory
from ganzfeld.lab.game import PointNetworks, PointTraining, game_of_points, ring
from ganzfeld.lab.game.frozen import frozen, look_rounds, pull, slope
from ganzfeld.lab.language import say
from ganzfeld.lab.layers import central_difference
from ganzfeld.lab.outcome import Measured, claim, formula_errors, limit, shown
from ganzfeld.losses import Loss, losses
from ganzfeld.training.step import GANState


def bench(settings: Settings, seed: int, thorough: bool) -> tuple[tuple[Measured, ...], dict[str, Any]]:
    """Measure derivatives, break points, and a generator of points frozen while its discriminator learns."""
    breaks, scans = _breaks()
    toys, courses = _toy(settings, seed)
    return (*_derivatives(), _reason(), *breaks, *toys), {"scans": scans, **courses}


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


def _reason() -> Measured:
    """Measure the derivative of log(1 - D) by D itself, where its value is near 0.

    It is -1/(1 - D), which is near -1 and not near 0: that the value is small says nothing of the slope. What
    vanishes is the slope of the sigmoid, D (1 - D).
    """
    probability = torch.sigmoid(torch.tensor(-5.0, dtype=torch.float64)).requires_grad_()
    (derivative,) = torch.autograd.grad(torch.log(1 - probability), probability)
    name = say("derivative of log(1-D) by D, where the logit is -5")
    return claim("slope-by-probability", name, float(derivative), 0.0, of="reason", tolerance=0.1)


@contextmanager
def denormals(flushed: bool) -> Iterator[None]:
    """Flush denormal numbers to zero or keep them, and restore the setting afterwards."""
    before = float(torch.tensor(1e-38) * 1e-3) == 0.0
    torch.set_flush_denormal(flushed)
    try:
        yield
    finally:
        torch.set_flush_denormal(before)


def _rounded(logits: Tensor) -> Tensor:
    """Return the best D in 32 bits: computed in 64 bits and rounded once."""
    return torch.sigmoid(logits.double()).float()


def _breaks() -> tuple[list[Measured], dict[str, Any]]:
    """Find the logits at which losses from 32-bit probabilities stop being finite, in steps of 0.01."""
    upwards = torch.arange(0, 12_000) / 100
    figures, scans = [], {}
    for flushed in (False, True):
        words = say(", denormals flushed") if flushed else ""
        with denormals(flushed):
            for probability, kind, direct in (
                (_rounded, say("rounded once"), False),
                (torch.sigmoid, "torch.sigmoid", True),
            ):
                suffix = ("direct" if direct else "rounded") + ("-flushed" if flushed else "")
                below = _first_not_finite(-torch.log(probability(-upwards)))
                figures.append(
                    claim(
                        f"break-non-saturating-{suffix}",
                        say(
                            "logit at which non-saturating from 32-bit D ({kind}{words}) breaks",
                            kind=kind,
                            words=words,
                        ),
                        -float(upwards[below]),
                        theory.break_of_non_saturating(direct, flushed),
                        of="non-saturating",
                        tolerance=0.02,
                    )
                )
                if not flushed:
                    above = _first_not_finite(torch.log(1 - probability(upwards)))
                    figures.append(
                        claim(
                            f"break-minimax-{suffix}",
                            say("logit at which minimax from 32-bit D ({kind}) breaks", kind=kind),
                            float(upwards[above]),
                            theory.break_of_minimax(direct),
                            of="minimax",
                            tolerance=0.02,
                        )
                    )
    logits = torch.linspace(-120, 40, 1601)
    for name, cost in (("minimax", lambda d: torch.log(1 - d)), ("non-saturating", lambda d: -torch.log(d))):
        at = logits.clone().requires_grad_()
        (measured,) = torch.autograd.grad(cost(torch.sigmoid(at)).sum(), at)
        scans[name] = (logits.numpy(), measured.numpy(), theory.SLOPES[name](logits).numpy())
        figures.append(
            limit(
                f"finite-{name}",
                say(
                    "{name}: share of logits from -120 to 40 at which the slope through 32-bit D is finite",
                    name=name,
                ),
                float(torch.isfinite(measured).double().mean()),
                1.0,
                of=name,
            )
        )
    return figures, scans


def _first_not_finite(values: Tensor) -> int:
    """Return the index of the first value that is not finite."""
    return int((~torch.isfinite(values)).nonzero()[0])


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
        shown(
            "strong-ratio",
            say("log10 of the minimax over the non-saturating gradient, strong D"),
            array_mean_and_error(ratio),
            num_trainings=len(ratio),
        ),
    ]
    for name, last in (("minimax", mean), ("non-saturating", 1 - mean)):
        title = say("mean slope of {name}, strong D", name=name)
        figures.append(
            claim(f"strong-slope-{name}", title, float(slopes_of[name][-1]), last, of=name, tolerance=1e-5)
        )
    for name, values in factors.items():
        slopes, measured, num = slopes_of[name], array_mean_and_error(values), len(values)
        key = f"left-{name}"
        words = say("log10 of the gradient with a strong D, over that at first, {name}", name=name)
        if name in TWO:
            expected, tolerance = float(np.log10(slopes[-1] / slopes[0])), math.log10(1.5)
            figures.append(
                limit(key, words, measured, expected, of=name, tolerance=tolerance, num_trainings=num)
            )
        else:
            figures.append(shown(key, words, measured, num_trainings=num))
    return figures
