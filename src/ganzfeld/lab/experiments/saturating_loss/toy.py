"""The bench of ``saturating-loss``: derivatives, break points, and a generator that is held still."""

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
from ganzfeld.lab.game.frozen import frozen, looks, pull, slope
from ganzfeld.lab.outcome import Measured, claim, limit, shown
from ganzfeld.losses import Loss, losses
from ganzfeld.training.step import GANState


def bench(settings: Settings, seed: int, thorough: bool) -> tuple[tuple[Measured, ...], dict[str, Any]]:
    """Measure derivatives, break points, and a generator of points held still while its
    discriminator learns.
    """
    breaks, scans = _breaks()
    toys, courses = _toy(settings, seed)
    return (*_derivatives(), *breaks, *toys), {"scans": scans, **courses}


def _derivatives() -> list[Measured]:
    """Compare the closed forms with autograd through the catalogue, and with differences in float64."""
    logits = torch.linspace(-30, 30, 1024)
    middle, little = torch.linspace(-8, 8, 161, dtype=torch.float64), 1e-4
    naive: dict[str, Callable[[Tensor], Tensor]] = {
        "minimax": lambda probability: torch.log(1 - probability),
        "non-saturating": lambda probability: -torch.log(probability),
    }
    figures = []
    for name in TWO:
        closed = theory.SLOPES[name]
        off = (slope(Loss(name), logits, logits) - closed(logits.double())).abs().max()
        cost = naive[name]
        rise = (cost(torch.sigmoid(middle + little)) - cost(torch.sigmoid(middle - little))) / (2 * little)
        figures += [
            claim(
                f"formula-{name}",
                f"{name}: autograd, largest error of the formula",
                float(off),
                0.0,
                of=name,
                part="closed form",
                tolerance=1e-7,
            ),
            claim(
                f"differences-{name}",
                f"{name}: differences in float64, largest error",
                float((rise - closed(middle)).abs().max()),
                0.0,
                of=name,
                part="closed form",
                tolerance=1e-8,
            ),
        ]
    return figures


@contextmanager
def denormals(flushed: bool) -> Iterator[None]:
    """Keep denormal numbers or flush them to zero, then leave the setting as it was."""
    before = float(torch.tensor(1e-38) * 1e-3) == 0.0
    torch.set_flush_denormal(flushed)
    try:
        yield
    finally:
        torch.set_flush_denormal(before)


def _rounded(logits: Tensor) -> Tensor:
    """Return D in 32 bits as well as it can be: computed in 64 and rounded once."""
    return torch.sigmoid(logits.double()).float()


def _breaks() -> tuple[list[Measured], dict[str, Any]]:
    """Find where losses that go through 32-bit probabilities stop being finite, in steps of 0.01."""
    upwards = torch.arange(0, 12_000) / 100
    figures, scans = [], {}
    for flushed in (False, True):
        words = ", denormals flushed" if flushed else ""
        with denormals(flushed):
            for probability, kind, direct in (
                (_rounded, "rounded once", False),
                (torch.sigmoid, "torch.sigmoid", True),
            ):
                how = ("direct" if direct else "rounded") + ("-flushed" if flushed else "")
                below = _first_bad(-torch.log(probability(-upwards)))
                figures.append(
                    claim(
                        f"break-non-saturating-{how}",
                        f"non-saturating from 32-bit D ({kind}{words}) breaks at",
                        -float(upwards[below]),
                        theory.break_of_non_saturating(direct, flushed),
                        of="non-saturating",
                        tolerance=0.02,
                    )
                )
                if not flushed:
                    above = _first_bad(torch.log(1 - probability(upwards)))
                    figures.append(
                        claim(
                            f"break-minimax-{how}",
                            f"minimax from 32-bit D ({kind}) breaks at",
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
                f"{name}: share of logits from -120 to 40 with a finite slope through 32-bit D",
                float(torch.isfinite(measured).double().mean()),
                1.0,
                of=name,
            )
        )
    return figures, scans


def _first_bad(values: Tensor) -> int:
    """Return the place of the first value that is not finite."""
    return int((~torch.isfinite(values)).nonzero()[0])


def _toy(settings: Settings, seed: int) -> tuple[list[Measured], dict[str, Any]]:
    """Hold untrained generators on a ring of 8 still, one replica per seed, while every loss trains D, and
    measure its pull.
    """
    mixture, moments = ring(), looks(settings.num_steps)
    latents = torch.randn(settings.seeds * 256, 2, generator=torch.Generator().manual_seed(seed))
    real = mixture.sample(settings.seeds * 256, torch.Generator().manual_seed(seed))
    courses, won = {}, {}
    off, mean = 0.0, 0.5
    for name in losses.names():
        loss = Loss(name)
        game = game_of_points(
            mixture.sample,
            loss=loss,
            networks=PointNetworks(settings.seeds),
            training=PointTraining(seed, num_points=settings.num_points, rates=(1.0, 3e-3)),
        )
        game.gan = frozen(game.gan)
        sizes, slopes = [], []
        for moment in moments:
            game.play(moment - game.index)
            gradients, at = pull_of(game.gan, loss, real, latents)
            sizes.append(_sizes(gradients))
            slopes.append(at)
            if name in theory.SLOPES:
                off = max(off, _off(game.gan, name, latents, sizes[-1]))
        courses[name], won[name] = np.array(sizes), np.array(slopes)
        if name == "non-saturating":  # minimax teaches D alike
            with torch.no_grad():
                mean = float(torch.sigmoid(game.gan.discriminator(game.gan.generator(latents))).mean())
    return _compared(courses, won, off, mean), {"courses": courses, "slopes": won, "moments": moments}


def pull_of(gan: GANState, loss: Loss, real: Tensor, latents: Tensor) -> tuple[list[Tensor], float]:
    """Return the gradient at the generators' weights, and the mean absolute slope of the loss by
    the logit.
    """
    with torch.no_grad():
        at_real = gan.discriminator(real)
        at_fake = gan.discriminator(gan.generator(latents))
    gradients = pull(gan, latents, lambda logits: slope(loss, at_real, logits))
    return gradients, float(slope(loss, at_real, at_fake).abs().mean())


def _sizes(gradients: Sequence[Tensor]) -> np.ndarray:
    """Return the norms (replicas,): the tensors of the generators have an entry per replica."""
    squares = [gradient.square().flatten(1).sum(1) for gradient in gradients]
    return torch.stack(squares).sum(0).sqrt().numpy()


def _off(gan: GANState, name: str, latents: Tensor, sizes: np.ndarray) -> float:
    """Return how far the gradient made from the closed form is from the one that the loss gives, relative."""
    return float(np.abs(_sizes(pull(gan, latents, theory.SLOPES[name])) / sizes - 1).max())


def _compared(
    courses: dict[str, np.ndarray], won: dict[str, np.ndarray], off: float, mean: float
) -> list[Measured]:
    """Measure what is left of the gradient at the end, as a factor on what it was at the beginning.

    The theory of the logit would have it change as the mean slope of the loss does.
    """
    left = {name: np.log10(course[-1] / course[0]) for name, course in courses.items()}
    apart = np.log10(courses["minimax"][-1] / courses["non-saturating"][-1])
    figures = [
        claim(
            "gradient-formula",
            "gradient by formula and by autograd, largest error",
            off,
            0.0,
            of="minimax",
            tolerance=1e-4,
        ),
        shown(
            "strong-ratio",
            "log10 of minimax over non-saturating gradient, strong D",
            array_mean_and_error(apart),
            num_trainings=len(apart),
        ),
    ]
    for name, last in (("minimax", mean), ("non-saturating", 1 - mean)):
        title = f"mean slope of {name}, strong D"
        figures.append(
            claim(f"strong-slope-{name}", title, float(won[name][-1]), last, of=name, tolerance=1e-5)
        )
    for name, factors in left.items():
        slopes, measured, num = won[name], array_mean_and_error(factors), len(factors)
        key, words = f"left-{name}", f"log10 of what strong D left of the gradient, {name}"
        if name in TWO:
            expected, near = float(np.log10(slopes[-1] / slopes[0])), math.log10(1.5)
            figures.append(limit(key, words, measured, expected, of=name, tolerance=near, num_trainings=num))
        else:
            figures.append(shown(key, words, measured, num_trainings=num))
    return figures
