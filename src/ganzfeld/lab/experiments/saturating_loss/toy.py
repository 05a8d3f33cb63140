"""The minimax loss fades where the generator is worst; the non-saturating one does not.

Both claims are about the derivative by the logit. What reaches the generator is that, times the slope of the
logit in the picture, and only if the loss was computed from logits.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, final

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from ganzfeld.lab.experiments.saturating_loss.figure import draw as draw
from ganzfeld.lab.game import game_of_points, ring
from ganzfeld.lab.game.frozen import frozen, live_game, looks, pull, slope
from ganzfeld.lab.live import Live
from ganzfeld.lab.outcome import Measured
from ganzfeld.losses import Loss, losses
from ganzfeld.recipes.schema import Section
from ganzfeld.training.step import Players

CLAIM = (
    "The minimax loss gives the generator a logit gradient of -D, which fades as D wins; -log D gives -(1-D)."
)
CLAIM_ZH = "极小极大损失对判别器对数几率的梯度因子是 -D，当 D→0 时消失；非饱和损失是 -(1-D)，保持了强度。"
SECTION = "训练动态与损失函数：生成器损失：克服梯度消失"
FORMULAS = {
    "minimax": r"\frac{\partial}{\partial l}\log(1-D) = -D,\quad D=\sigma(l)",
    "non-saturating": r"\frac{\partial}{\partial l}(-\log D) = -(1-D)",
    "from 32-bit probabilities": r"1-D=0\ \mathrm{from}\ l=25\ln 2,\quad "
    r"D=0\ \mathrm{from}\ l=-150\ln 2\ (-126\ln 2\ \mathrm{flushed})",
}

TWO = ("minimax", "non-saturating")


@final
class Settings(Section):
    """``num_steps``: of the discriminator on the toy, the generator held still; in situ a quarter of them.
    ``num_points``: a batch on the toy. ``seeds``: generators on the toy, side by side.
    """

    num_steps: int = Field(default=256, ge=1, le=100_000)
    num_points: int = Field(default=128, ge=2, le=10_000)
    seeds: int = Field(default=5, ge=2, le=100)


SHORT = {"num_steps": 32, "num_points": 32}
THOROUGH = {"num_steps": 1_024, "seeds": 20}


def of_minimax(logits: Tensor) -> Tensor:
    """-D: the derivative of log(1 - D) by the logit (seed text, generator's loss)."""
    return -torch.sigmoid(logits)


def of_non_saturating(logits: Tensor) -> Tensor:
    """-(1 - D): the derivative of -log D by the logit (seed text, generator's loss)."""
    return -torch.sigmoid(-logits)


def break_of_minimax(direct: bool) -> float:
    """The logit from which log(1 - D) is -infinity in 32 bits, whose spacing below 1 is 2^-24.

    D rounded once is 1 from half of that; 1 / (1 + exp(-l)), as libraries compute it (``direct``), already
    where 1 + exp(-l) is 1.
    """
    return (24 if direct else 25) * math.log(2)


def break_of_non_saturating(direct: bool, flushed: bool) -> float:
    """The logit below which -log D is infinity in 32 bits.

    D rounded once is 0 below half the smallest denormal number, 2^-149, or with denormals flushed below
    2^-126; in 1 / (1 + exp(-l)) (``direct``) the exponential overflows from 2^128.
    """
    power = 126 if flushed else 150
    return -(min(power, 128) if direct else power) * math.log(2)


SLOPES: dict[str, Callable[[Tensor], Tensor]] = {"minimax": of_minimax, "non-saturating": of_non_saturating}


def bench(settings: Settings, seed: int, thorough: bool) -> tuple[tuple[Measured, ...], dict[str, Any]]:
    """Derivatives, break points, and a generator of points held still while its discriminator learns."""
    breaks, scans = _breaks()
    toys, courses = _toy(settings, seed)
    return (*_derivatives(), *breaks, *toys), {"scans": scans, **courses}


def _derivatives() -> list[Measured]:
    """Closed form against autograd through the catalogue, and against differences in float64."""
    logits = torch.linspace(-30, 30, 1024)
    middle, little = torch.linspace(-8, 8, 161, dtype=torch.float64), 1e-4
    naive: dict[str, Callable[[Tensor], Tensor]] = {
        "minimax": lambda probability: torch.log(1 - probability),
        "non-saturating": lambda probability: -torch.log(probability),
    }
    figures = []
    for name in TWO:
        closed = SLOPES[name]
        off = (slope(Loss(name), logits, logits) - closed(logits.double())).abs().max()
        cost = naive[name]
        rise = (cost(torch.sigmoid(middle + little)) - cost(torch.sigmoid(middle - little))) / (2 * little)
        figures += [
            Measured(
                f"{name}: autograd, largest error of the formula",
                float(off),
                0,
                0.0,
                "claim",
                "closed form",
                1e-7,
            ),
            Measured(
                f"{name}: differences in float64, largest error",
                float((rise - closed(middle)).abs().max()),
                0,
                0.0,
                "claim",
                "closed form",
                1e-8,
            ),
        ]
    return figures


@contextmanager
def denormals(flushed: bool) -> Iterator[None]:
    """Denormal numbers kept or flushed to zero, then as they were before."""
    before = float(torch.tensor(1e-38) * 1e-3) == 0.0
    torch.set_flush_denormal(flushed)
    try:
        yield
    finally:
        torch.set_flush_denormal(before)


def _rounded(logits: Tensor) -> Tensor:
    """D in 32 bits as well as it can be: computed in 64 and rounded once."""
    return torch.sigmoid(logits.double()).float()


def _breaks() -> tuple[list[Measured], dict[str, Any]]:
    """Where losses that go through 32-bit probabilities stop being finite, in steps of 0.01."""
    upwards = torch.arange(0, 12_000) / 100
    figures, scans = [], {}
    for flushed in (False, True):
        words = ", denormals flushed" if flushed else ""
        with denormals(flushed):
            for probability, kind, direct in (
                (_rounded, "rounded once", False),
                (torch.sigmoid, "torch.sigmoid", True),
            ):
                below = _first_bad(-torch.log(probability(-upwards)))
                figures.append(
                    Measured(
                        f"non-saturating from 32-bit D ({kind}{words}) breaks at",
                        -float(upwards[below]),
                        0,
                        break_of_non_saturating(direct, flushed),
                        "claim",
                        "bench",
                        0.02,
                    )
                )
                if not flushed:
                    above = _first_bad(torch.log(1 - probability(upwards)))
                    figures.append(
                        Measured(
                            f"minimax from 32-bit D ({kind}) breaks at",
                            float(upwards[above]),
                            0,
                            break_of_minimax(direct),
                            "claim",
                            "bench",
                            0.02,
                        )
                    )
    logits = torch.linspace(-120, 40, 1601)
    for name, cost in (("minimax", lambda d: torch.log(1 - d)), ("non-saturating", lambda d: -torch.log(d))):
        at = logits.clone().requires_grad_()
        (found,) = torch.autograd.grad(cost(torch.sigmoid(at)).sum(), at)
        scans[name] = (logits.numpy(), found.numpy(), SLOPES[name](logits).numpy())
        figures.append(
            Measured(
                f"{name}: share of logits from -120 to 40 with a finite slope through 32-bit D",
                float(torch.isfinite(found).double().mean()),
                0,
                1.0,
                "limit",
                "bench",
            )
        )
    return figures, scans


def _first_bad(values: Tensor) -> int:
    return int((~torch.isfinite(values)).nonzero()[0])


def _toy(settings: Settings, seed: int) -> tuple[list[Measured], dict[str, Any]]:
    """A ring of 8, untrained generators held still, a seed a board: every loss teaches D, and pulls at G."""
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
            boards=settings.seeds,
            seed=seed,
            num_points=settings.num_points,
            rates=(1.0, 3e-3),
        )
        game.players = frozen(game.players)
        sizes, slopes = [], []
        for moment in moments:
            game.play(moment - game.index)
            gradients, at = _pull_of(game.players, loss, real, latents)
            sizes.append(_sizes(gradients))
            slopes.append(at)
            if name in SLOPES:
                off = max(off, _off(game.players, name, latents, sizes[-1]))
        courses[name], won[name] = np.array(sizes), np.array(slopes)
        if name == "non-saturating":  # minimax teaches D alike
            with torch.no_grad():
                mean = float(
                    torch.sigmoid(game.players.discriminator(game.players.generator(latents))).mean()
                )
    return _compared(courses, won, off, mean), {"courses": courses, "slopes": won, "moments": moments}


def _pull_of(players: Players, loss: Loss, real: Tensor, latents: Tensor) -> tuple[list[Tensor], float]:
    """The gradient at the generators' weights, and the mean absolute slope of the loss by the logit."""
    with torch.no_grad():
        at_real = players.discriminator(real)
        at_fake = players.discriminator(players.generator(latents))
    gradients = pull(players, latents, lambda logits: slope(loss, at_real, logits))
    return gradients, float(slope(loss, at_real, at_fake).abs().mean())


def _sizes(gradients: Sequence[Tensor]) -> np.ndarray:
    """(boards,) norms: the tensors of the generators have an entry a board."""
    squares = [gradient.square().flatten(1).sum(1) for gradient in gradients]
    return torch.stack(squares).sum(0).sqrt().numpy()


def _off(players: Players, name: str, latents: Tensor, found: np.ndarray) -> float:
    """How far the gradient made from the closed form is from the one that the loss gives, relative."""
    return float(np.abs(_sizes(pull(players, latents, SLOPES[name])) / found - 1).max())


def _compared(
    courses: dict[str, np.ndarray], won: dict[str, np.ndarray], off: float, mean: float
) -> list[Measured]:
    """What is left of the gradient at the end, as a factor on what it was at the beginning.

    The theory of the logit would have it change as the mean slope of the loss does.
    """
    left = {name: np.log10(course[-1] / course[0]) for name, course in courses.items()}
    apart = np.log10(courses["minimax"][-1] / courses["non-saturating"][-1])
    figures = [
        Measured("gradient by formula and by autograd, largest error", off, 0, 0.0, "claim", "bench", 1e-4),
        Measured(
            "log10 of minimax over non-saturating gradient, strong D",
            float(apart.mean()),
            _error(apart),
            None,
            "shown",
            "bench",
        ),
    ]
    for name, last in (("minimax", mean), ("non-saturating", 1 - mean)):
        title = f"mean slope of {name}, strong D"
        figures.append(Measured(title, float(won[name][-1]), 0, last, "claim", "bench", 1e-5))
    for name, found in left.items():
        slopes = won[name]
        figures.append(
            Measured(
                f"log10 of what strong D left of the gradient, {name}",
                float(found.mean()),
                _error(found),
                float(np.log10(slopes[-1] / slopes[0])) if name in TWO else None,
                "limit" if name in TWO else "shown",
                "bench",
                math.log10(1.5),
            )
        )
    return figures


def _error(values: np.ndarray) -> float:
    """The standard error of a mean."""
    return float(values.std(ddof=1) / math.sqrt(len(values)))


def in_situ(live: Live, settings: Settings, seed: int) -> tuple[tuple[Measured, ...], dict[str, Any]]:
    """The live generator early in its training, held still while its own discriminator learns on."""
    stages = live.stages
    stage = stages[min(1, len(stages) - 1)]
    game = live_game(live, stage, seed)
    num = min(64, 4 * live.recipe.batch)
    real, latents = live.real(num, seed), live.latents(num, seed)
    moments = looks(max(1, settings.num_steps // 4))
    courses: dict[str, list[float]] = {name: [] for name in losses.names()}
    slopes: dict[str, list[float]] = {name: [] for name in losses.names()}
    for moment in moments:
        game.play(moment - game.index)
        for name in courses:
            gradients, at = _pull_of(game.players, Loss(name), real, latents)
            courses[name].append(float(torch.stack([part.square().sum() for part in gradients]).sum().sqrt()))
            slopes[name].append(at)
    with torch.no_grad():
        at_fake = game.players.discriminator(game.players.generator(latents))
    mean = float(torch.sigmoid(at_fake).mean())
    figures = (
        Measured("mean slope of minimax in situ", slopes["minimax"][-1], 0, mean, "claim", "in situ", 1e-5),
        Measured(
            "mean slope of non-saturating in situ",
            slopes["non-saturating"][-1],
            0,
            1 - mean,
            "claim",
            "in situ",
            1e-5,
        ),
        Measured(
            "log10 of minimax over non-saturating gradient in situ",
            float(np.log10(courses["minimax"][-1] / courses["non-saturating"][-1])),
            0,
            None,
            "shown",
            "in situ",
        ),
        *(
            Measured(
                f"log10 of what strong D left of the gradient in situ, {name}",
                float(np.log10(courses[name][-1] / courses[name][0])),
                0,
                float(np.log10(slopes[name][-1] / slopes[name][0])),
                "limit",
                "in situ",
                math.log10(1.5),
            )
            for name in TWO
        ),
    )
    return figures, {"live_moments": moments, "live_courses": courses, "live_slopes": slopes, "stage": stage}


def advice(figures: Sequence[Measured]) -> str:
    """Which loss, and from what it is computed."""
    by_name = {figure.name: figure.value for figure in figures}
    toy = 10 ** by_name["log10 of minimax over non-saturating gradient, strong D"]
    kept, faded = (
        10 ** by_name[f"log10 of what strong D left of the gradient, {name}"] for name in TWO[::-1]
    )
    there = 10 ** by_name["log10 of what strong D left of the gradient in situ, non-saturating"]
    upper = by_name["minimax from 32-bit D (torch.sigmoid) breaks at"]
    lower = by_name["non-saturating from 32-bit D (torch.sigmoid) breaks at"]
    return (
        f"Do not use minimax for the generator: a strong discriminator leaves it {toy:.2g} of the "
        "gradient that it leaves the non-saturating loss. But the factors -D and -(1-D) are those of the "
        "logit: what reaches the weights also has the slope of the discriminator in it. While D learned, the "
        f"minimax gradient on the toy changed by a factor of {faded:.2g} and the non-saturating one by "
        f"{kept:.2g} (in situ {there:.2g}). Compute losses from logits, as every loss of the catalogue does: "
        f"from 32-bit probabilities minimax is infinite above a logit of {upper:.1f} and the non-saturating "
        f"loss below {lower:.1f}."
    )
