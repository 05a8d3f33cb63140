"""Soft labels keep the discriminator's lesson alive where it saturates, at the price of another optimum.

With temperature it is shown what else it is: a rescaling of the last layer.
"""

import math
from collections.abc import Sequence
from typing import Any, cast, final

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn
from torch.optim import SGD, Adam

from ganzfeld.errors import UsageError
from ganzfeld.lab.experiments.soft_labels.figure import draw as draw
from ganzfeld.lab.game import Game, game_of_points, ring
from ganzfeld.lab.game.frozen import frozen, live_game
from ganzfeld.lab.live import Live
from ganzfeld.lab.outcome import Measured, Role
from ganzfeld.lab.words import amount
from ganzfeld.losses import LARGEST_TEMPERATURE, Loss
from ganzfeld.recipes.schema import Section
from ganzfeld.stabilisers import Stabiliser, stabiliser

CLAIM = "Soft targets keep |D-y| >= alpha when D saturates; a temperature T >= 1 widens the live region."
CLAIM_ZH = "软标签使判别器饱和时梯度 (D-ỹ) 不会完全消失；温度 T≥1 扩大非饱和区域。"
SECTION = "训练动态与损失函数：判别器饱和与稳定化技术"
FORMULAS = {
    "the lesson": r"\frac{\partial L}{\partial l} = D-\tilde y,\quad \tilde y\in\{1-\alpha,\ \alpha\}",
    "the best discriminator": r"D^* = \frac{(1-\alpha)\,p_{data}+\alpha\,p_{model}}"
    r"{p_{data}+p_{model}} = \alpha+(1-2\alpha)\,D^*_{hard}",
    "its slope in log r": r"1,\quad \frac{1}{1+\alpha r}\ \mathrm{(one\ side)},\quad"
    r"\frac{(1-\alpha)r}{(1-\alpha)r+\alpha}-\frac{\alpha r}{\alpha r+1-\alpha}\approx"
    r"\frac{1-2\alpha}{\alpha(1-\alpha)}r\ \mathrm{(two)}",
    "temperature": r"\frac{d}{dl}\sigma(l/T)=\frac{1}{T}\sigma'(l/T)",
}

RATE = 0.03
"""Of the generator of the toy, which descends its plain gradient."""

PULL = "pull on a fake at r = alpha/10, two-sided over hard"

KINDS = {"hard": (0.0, 1), "one-sided": (None, 1), "two-sided": (None, 2)}
"""Smoothing (None: that of the settings) and sides."""


@final
class Settings(Section):
    """``alpha``: the smoothing. ``temperature``: T. ``distance``: how many standard deviations the generator
    of the toy begins away from the data. ``num_rounds``: of the toy games, of which ``seeds`` are played.
    """

    alpha: float = 0.1
    temperature: float = 2.0
    distance: float = Field(default=4.0, gt=0, le=20)
    num_rounds: int = Field(default=300, ge=2, le=100_000)
    seeds: int = Field(default=5, ge=2, le=100)

    def model_post_init(self, context: Any) -> None:
        """Refuse what means nothing."""
        if not 0 <= self.alpha < 0.5:
            raise UsageError(
                f"alpha is at least 0 and below 0.5, not {self.alpha}",
                "At 0 labels are hard; at 0.5 real and generated pictures have the same target.",
            )
        if not 0 < self.temperature <= LARGEST_TEMPERATURE:
            raise UsageError(
                f"temperature is above 0 and at most {LARGEST_TEMPERATURE:,}, not {self.temperature}"
            )

    def loss(self, kind: str) -> Loss:
        """The non-saturating loss with labels of that kind."""
        smoothing, sides = KINDS[kind]
        return Loss("non-saturating", self.alpha if smoothing is None else smoothing, sides)


SHORT = {"num_rounds": 20}
THOROUGH = {"seeds": 20}


def lesson(logits: Tensor, target: float) -> Tensor:
    """D - y: the derivative of the cross-entropy by the logit (seed text, saturation of D)."""
    return torch.sigmoid(logits) - target


def best_probability(log_ratio: Tensor, alpha: float, sides: int) -> Tensor:
    """D* for r = p_data / p_model, the minimum of the expected loss: (t_real r + t_fake) / (r + 1)."""
    hard = torch.sigmoid(log_ratio)
    return (1 - alpha) * hard + (alpha * (1 - hard) if sides == 2 else 0)


def best_logit(log_ratio: Tensor, alpha: float, sides: int) -> Tensor:
    """The logit of D*, without forming D*: the difference of the logarithms of both shares."""
    zero = torch.zeros_like(log_ratio)
    kept, lost = math.log(1 - alpha), math.log(alpha) if alpha else -math.inf
    if sides == 2 and alpha:
        return torch.logaddexp(kept + log_ratio, zero + lost) - torch.logaddexp(lost + log_ratio, zero + kept)
    return kept + log_ratio - torch.logaddexp(lost + log_ratio, zero)


def slope_in_ratio(log_ratio: Tensor, alpha: float, sides: int) -> Tensor:
    """d logit* / d log r: 1 for hard labels, 1 / (1 + alpha r) one-sided, and two-sided
    r (1 - 2 alpha) / (alpha (1 - alpha)) to first order, about r / alpha, where r is far below alpha.
    """
    ratio = log_ratio.exp()
    if sides == 1:
        return 1 / (1 + alpha * ratio)
    return (1 - alpha) * ratio / ((1 - alpha) * ratio + alpha) - alpha * ratio / (alpha * ratio + 1 - alpha)


def bench(settings: Settings, seed: int, thorough: bool) -> tuple[tuple[Measured, ...], dict[str, Any]]:
    """The lesson, the optimum and its slope, what a generator learns from it, and what a temperature is."""
    lessons, curves = _lessons(settings)
    optima, slopes = _optima(settings)
    learned, courses = _learned(settings, seed)
    warm = _temperature(settings, seed)
    figures = (*lessons, *optima, *learned, *warm)
    return figures, {"lessons": curves, "slopes": slopes, "courses": courses}


def _lessons(settings: Settings) -> tuple[list[Measured], dict[str, Any]]:
    """What a discriminator is still told, by logit."""
    alpha = settings.alpha
    logits = torch.linspace(-40, 40, 4_001, dtype=torch.float64)
    told = {kind: _told(settings.loss(kind), logits) for kind in KINDS}
    formula = max(
        float((told[kind][side] - lesson(logits, target)).abs().max())
        for kind in KINDS
        for side, target in enumerate(settings.loss(kind).targets)
    )
    little = 1e-5
    rise = (_cost(logits + little, 1 - alpha) - _cost(logits - little, 1 - alpha)) / (2 * little)
    middle = logits.abs() < 8
    saturated = logits.abs() > 20
    two, one = told["two-sided"], told["one-sided"]
    return [
        Measured("lesson D - y by autograd, largest error", formula, 0, 0.0, "claim", "closed form", 1e-7),
        Measured(
            "lesson D - y by differences, largest error",
            float((rise - lesson(logits, 1 - alpha))[middle].abs().max()),
            0,
            0.0,
            "claim",
            "closed form",
            1e-7,
        ),
        Measured(
            "smallest |D - y| where D saturates, two-sided",
            float(torch.stack(two).abs()[:, saturated].min()),
            0,
            alpha,
            "claim",
            "bench",
            1e-6,
        ),
        Measured(
            "smallest |D - y| where D saturates, generated pictures, one-sided",
            float(one[1].abs()[saturated].min()),
            0,
            alpha,
            "limit",
            "bench",
            1e-6,
        ),
        Measured(
            "smallest |D - y| at any logit, two-sided",
            float(torch.stack(two).abs().min()),
            0,
            alpha,
            "limit",
            "bench",
            1e-6,
        ),
    ], {"logits": logits.numpy(), **{kind: [side.numpy() for side in sides] for kind, sides in told.items()}}


def _told(loss: Loss, logits: Tensor) -> tuple[Tensor, Tensor]:
    """The derivatives of the discriminator's loss by logits of real and of generated pictures, times their
    number.
    """
    real, fake = (logits.clone().requires_grad_() for _ in range(2))
    to_real, to_fake = torch.autograd.grad(loss.discriminator(real, fake), (real, fake))
    return to_real * len(logits), to_fake * len(logits)


def _cost(logits: Tensor, target: float) -> Tensor:
    """The cross-entropy from probabilities, as in the seed text."""
    probability = torch.sigmoid(logits)
    return -target * torch.log(probability) - (1 - target) * torch.log1p(-probability)


def _optima(settings: Settings) -> tuple[list[Measured], dict[str, Any]]:
    """The best D, found by bisection of what the catalogue's loss tells it, against the formula."""
    log_ratio = torch.linspace(-12, 12, 241, dtype=torch.float64)
    figures, slopes = [], {"log_ratio": log_ratio.numpy()}
    for kind in KINDS:
        loss = settings.loss(kind)
        found = _bisected(loss, log_ratio)
        expected = best_probability(log_ratio, loss.smoothing, loss.smooth_sides)
        figures.append(
            Measured(
                f"best D, largest error of the formula, {kind}",
                float((torch.sigmoid(found) - expected).abs().max()),
                0,
                0.0,
                "claim",
                "bench",
                1e-9,
            )
        )
        little = 1e-4
        rise = (_bisected(loss, log_ratio + little) - _bisected(loss, log_ratio - little)) / (2 * little)
        formula = slope_in_ratio(log_ratio, loss.smoothing, loss.smooth_sides)
        slopes[kind] = rise.numpy()
        figures.append(
            Measured(
                f"d logit / d log r, largest error of the formula, {kind}",
                float((rise - formula).abs().max()),
                0,
                0.0,
                "claim",
                "bench",
                1e-6,
            )
        )
    alpha = settings.alpha
    if alpha == 0:  # hard labels: no r is small beside it
        return figures, slopes
    few = torch.tensor([alpha / 1_000], dtype=torch.float64).log()
    slope_there = float(slope_in_ratio(few, alpha, 2))
    pull = float(slope_in_ratio(few + math.log(100), alpha, 2))
    figures += [
        Measured(
            "slope at r = alpha/1000 over its first order, r (1 - 2 alpha) / (alpha (1 - alpha))",
            slope_there / (1e-3 * (1 - 2 * alpha) / (1 - alpha)),
            0,
            1.0,
            "claim",
            "closed form",
            0.01,
        ),
        Measured(PULL, pull, 0, 1.0, "limit", "bench", 0.01),
    ]
    return figures, slopes


def _bisected(loss: Loss, log_ratio: Tensor) -> Tensor:
    """The logit at which p_data dL/dreal + p_model dL/dfake = 0, from the loss alone."""
    low, high = torch.full_like(log_ratio, -60), torch.full_like(log_ratio, 60)
    real_share = torch.sigmoid(log_ratio)
    for _ in range(70):
        middle = (low + high) / 2
        to_real, to_fake = _told(loss, middle)
        above = real_share * to_real + (1 - real_share) * to_fake > 0
        low, high = torch.where(above, low, middle), torch.where(above, middle, high)
    return (low + high) / 2


class _Shifted(nn.Module):
    """A generator that moves the latents of its board by one learned number; boards take turns in a batch."""

    def __init__(self, boards: int, start: float) -> None:
        super().__init__()
        self.shift = nn.Parameter(torch.full((boards,), start))

    def forward(self, latents: Tensor) -> Tensor:
        """(n * boards, 1) to (n * boards, 1)."""
        return (latents.view(-1, len(self.shift)) + self.shift).view(-1, 1)


def pull_of_best(shift: Tensor, alpha: float, sides: int) -> Tensor:
    """The pull on a generator of N(m, 1) towards data N(0, 1) by the best D, at shifts m (n,).

    E[(1 - D*) d logit* / dx] over its points x, with log r = m^2 / 2 - m x; by Gauss-Hermite quadrature.
    """
    nodes, weights = (torch.from_numpy(each) for each in np.polynomial.hermite_e.hermegauss(80))
    points = shift[:, None] + nodes
    log_ratio = shift[:, None] ** 2 / 2 - shift[:, None] * points
    slope = slope_in_ratio(log_ratio, alpha, sides) * shift[:, None]
    sent = (1 - best_probability(log_ratio, alpha, sides)) * slope
    return (sent * weights).sum(1) / weights.sum()


def _learned(settings: Settings, seed: int) -> tuple[list[Measured], dict[str, Any]]:
    """Real points are N(0, 1), generated ones N(m, 1), and m is learned: where is it after the game?

    D begins alone. The generator goes down its plain gradient: Adam would make any pull the same step.
    """
    courses: dict[str, Any] = {}
    for kind in KINDS:
        generator = _Shifted(settings.seeds, settings.distance)
        game = game_of_points(
            lambda num, noise: torch.randn(num, 1, generator=noise),
            loss=settings.loss(kind),
            boards=settings.seeds,
            seed=seed,
            latent_size=1,
            num_points=64,
            rates=(RATE, 1e-2),
            generator=generator,
        )
        playing, game.players = game.players, frozen(game.players)
        game.play(settings.num_rounds // 2)
        playing.generator_optimizer = SGD(generator.parameters(), lr=RATE, fused=True)
        game.players = playing
        course = [generator.shift.detach().clone()]
        for _ in range(settings.num_rounds):
            game.advance()
            course.append(generator.shift.detach().clone())
        courses[kind] = torch.stack(course).abs().numpy()
    behind = courses["two-sided"][-1] - courses["hard"][-1]
    figures = [
        Measured(
            f"distance left after the game, {kind}",
            float(course[-1].mean()),
            float(course[-1].std(ddof=1) / math.sqrt(settings.seeds)),
            None,
            "shown",
            "bench",
        )
        for kind, course in courses.items()
    ]
    figures.append(
        Measured(
            "distance left, two-sided less hard",
            float(behind.mean()),
            float(behind.std(ddof=1) / math.sqrt(settings.seeds)),
            0.0,
            "limit",
            "bench",
        )
    )
    shifts = torch.linspace(0.05, max(6.0, settings.distance), 100, dtype=torch.float64)
    pulls = {
        kind: pull_of_best(shifts, settings.loss(kind).smoothing, settings.loss(kind).smooth_sides).numpy()
        for kind in KINDS
    }
    return figures, {"played": courses, "shifts": shifts.numpy(), "pulls": pulls}


def _temperature(settings: Settings, seed: int) -> list[Measured]:
    """What a temperature does to the sigmoid, and the same training without it, its last layer rescaled."""
    warmth = settings.temperature
    logits = torch.linspace(-60 * max(warmth, 1), 60 * max(warmth, 1), 200_001, dtype=torch.float64)
    widths, peak = [], 0.0
    for each in (1.0, warmth):
        at = logits.clone().requires_grad_()
        (slope,) = torch.autograd.grad(torch.sigmoid(at / each).sum(), at)
        peak = float(slope.max())
        widths.append(float((slope > 0.01 * peak).sum()))
    at_zero = torch.zeros(2, dtype=torch.float64)
    plain, warm = (_told(Loss("non-saturating", temperature=each), at_zero)[0][0] for each in (1.0, warmth))
    figures = [
        Measured("peak slope of sigma(l/T)", peak, 0, 0.25 / warmth, "claim", "bench", 1e-9),
        Measured(
            "width of the live region of sigma(l/T), over that at 1",
            widths[1] / widths[0],
            0,
            warmth,
            "claim",
            "bench",
            0.01 * warmth,
        ),
        Measured(
            "lesson at the logit 0, over that at T = 1", float(warm / plain), 0, 1.0, "limit", "bench", 1e-9
        ),
    ]
    r1, scaled = ([stabiliser({"name": "r1", "weight": 0.1 * factor})] for factor in (1.0, warmth**2))
    trials: tuple[tuple[str, Any, list[Stabiliser], list[Stabiliser], Role], ...] = (
        ("gradient descent, rate / T^2", SGD, [], [], "claim"),
        ("Adam, rate / T", Adam, [], [], "claim"),
        ("gradient descent with R1, its weight times T^2", SGD, r1, scaled, "claim"),
        ("gradient descent with R1 as it was", SGD, r1, r1, "limit"),
    )
    for what, kind, theirs, ours, role in trials:
        off = rescaled_game_differs(settings, seed, kind, theirs, ours)
        title = f"T against the last layer divided by T: {what}"
        # Adam's epsilon is all that keeps it from being exact.
        figures.append(Measured(title, off, 0, 0.0, role, "bench", 1e-3 if kind is Adam else 1e-9))
    return figures


def rescaled_game_differs(
    settings: Settings,
    seed: int,
    kind: type[SGD] | type[Adam],
    theirs: Sequence[Stabiliser],
    ours: Sequence[Stabiliser],
) -> float:
    """By how much the logits over T of a game with temperature differ, relative to their spread, from those
    of a game without one, its last layer begun at 1/T of the weights and its rate divided.

    Plain gradient descent needs 1/T^2: the gradient of a layer T times as small is T times as large. Adam is
    indifferent to the size of gradients and needs 1/T.
    """
    warmth = settings.temperature
    last_rate = 1 / warmth**2 if kind is SGD else 1 / warmth
    warm = _double_game(Loss("non-saturating", temperature=warmth), theirs, seed, kind, 1.0)
    plain = _double_game(Loss("non-saturating"), ours, seed, kind, last_rate)
    with torch.no_grad():
        for weight in _last_layer(plain).parameters():
            weight /= warmth
    for game in (warm, plain):
        game.play(20)
    points = ring().sample(256, torch.Generator().manual_seed(seed)).double()
    with torch.no_grad():
        wanted = warm.players.discriminator(points) / warmth
        found = plain.players.discriminator(points)
    return float((found - wanted).abs().max() / wanted.std())


def _double_game(
    loss: Loss, stabilisers: Sequence[Stabiliser], seed: int, kind: type[SGD] | type[Adam], last_rate: float
) -> Game:
    """A game on the ring in float64, the rate of D's last layer multiplied."""
    game = game_of_points(
        lambda num, noise: ring().sample(num, noise).double(),
        loss=loss,
        stabilisers=stabilisers,
        seed=seed,
        width=16,
        num_points=64,
    )
    drawn = game.draw
    game.draw = lambda noise: tuple(each.double() for each in drawn(noise))  # pyright: ignore[reportAttributeAccessIssue]
    players, rate = game.players, 0.05 if kind is SGD else 0.002
    for network in (players.generator, players.discriminator, players.average):
        network.double()
    last = list(_last_layer(game).parameters())
    others = [
        weight for weight in players.discriminator.parameters() if all(weight is not each for each in last)
    ]
    players.generator_optimizer = kind(players.generator.parameters(), lr=rate, fused=True)
    players.discriminator_optimizer = kind(
        [{"params": others}, {"params": last, "lr": rate * last_rate}], lr=rate, fused=True
    )
    return game


def _last_layer(game: Game) -> nn.Module:
    return cast(Any, game.players.discriminator).layers[-1]


def in_situ(live: Live, settings: Settings, seed: int) -> tuple[tuple[Measured, ...], dict[str, Any]]:
    """The live generator held still while its discriminator learns on, by hard and by soft labels."""
    num = min(64, 4 * live.recipe.batch)
    real, latents = live.real(num, seed), live.latents(num, seed)
    figures, data = [], {}
    for kind in KINDS:
        game = live_game(live, live.stages[-1], seed, settings.loss(kind))
        game.play(min(60, settings.num_rounds))
        with torch.no_grad():
            at_real = game.players.discriminator(real)
            at_fake = game.players.discriminator(game.players.generator(latents))
        targets = settings.loss(kind).targets
        lessons = torch.cat([lesson(at_real, targets.real), lesson(at_fake, targets.fake)]).abs()
        data[kind] = [at_real.numpy(), at_fake.numpy()]
        figures.append(
            Measured(
                f"mean |D - y| of a strong live D, {kind}",
                float(lessons.mean()),
                float(lessons.std() / math.sqrt(len(lessons))),
                settings.alpha if kind == "two-sided" else None,
                "limit" if kind == "two-sided" else "shown",
                "in situ",
            )
        )
        size = torch.cat([at_real, at_fake]).abs()
        figures.append(
            Measured(f"largest live logit, {kind}", float(size.max()), 0, None, "shown", "in situ")
        )
    return tuple(figures), {"live": data}


def advice(figures: Sequence[Measured]) -> str:
    """Whether to soften, which side, and what to do with a temperature."""
    by_name = {figure.name: figure for figure in figures}
    behind = by_name["distance left, two-sided less hard"]
    slower = (
        "and the generator of the toy stayed behind by" if not behind.agrees else "though the toy shows only"
    )
    flattened = ""
    if PULL in by_name:
        flattened = (
            "Two-sided labels flatten the discriminator where there are many generated pictures and little "
            f"data: the pull there falls to {by_name[PULL].value:.2f} of what hard labels give, {slower} "
            f"{amount(behind.value, behind.error)} standard deviations. "
        )
    lesson_left = by_name["mean |D - y| of a strong live D, two-sided"].value
    return (
        "Soft labels do not keep a lesson alive for its own sake: they pull a logit that is too large back, "
        f"and at its optimum the lesson is 0 again (a strong live D is left with {lesson_left:.2g}). Soften "
        f"the real side alone if at all. {flattened}A temperature is a smaller "
        "last layer with a smaller rate and nothing else, unless a penalty or a constraint looks at the "
        "logit itself: then change its weight instead."
    )
