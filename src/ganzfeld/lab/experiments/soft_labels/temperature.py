"""The temperature on the bench: its sigmoid, and the same game with a rescaled last layer instead."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, cast

import torch
from torch import nn
from torch.optim import SGD, Adam

from ganzfeld.lab.experiments.soft_labels import Settings
from ganzfeld.lab.experiments.soft_labels.logit_gradients import logit_gradients
from ganzfeld.lab.game import Game, PointNetworks, PointTraining, game_of_points, ring
from ganzfeld.lab.language import say
from ganzfeld.lab.outcome import Measured, claim, limit
from ganzfeld.losses import Loss
from ganzfeld.stabilisers import Stabiliser, stabiliser

R1_WEIGHT = 0.1
LARGEST_FACTOR = 1e6
"""The largest ratio of the two weights of R1 at which the smaller one is ``R1_WEIGHT``."""

EPSILON = 1e-30
"""Adam's: its usual one is as large as the gradients at a high temperature, and then not only scales."""


def measured_temperature(settings: Settings, seed: int) -> list[Measured]:
    """Measure the sigmoid of a temperature, and compare it with a rescaled last layer."""
    return [*_of_sigmoid(settings.temperature), *_of_rescaling(settings, seed)]


def _of_sigmoid(temperature: float) -> list[Measured]:
    """Measure the slope and the width of sigma(l/T), and the gradient at the logit 0."""
    widths, peak = [], 0.0
    for value in (1.0, temperature):
        # A grid as wide as the sigmoid, so that it is as fine for every temperature.
        at = torch.linspace(-60 * value, 60 * value, 200_001, dtype=torch.float64).requires_grad_()
        (slope,) = torch.autograd.grad(torch.sigmoid(at / value).sum(), at)
        peak = float(slope.max())
        widths.append(float((slope > 0.01 * peak).sum()) * 120 * value / 200_000)
    at_zero = torch.zeros(2, dtype=torch.float64)
    plain, tempered = (
        logit_gradients(Loss("non-saturating", temperature=value), at_zero)[0][0]
        for value in (1.0, temperature)
    )
    return [
        claim(
            "peak-slope",
            say("peak slope of sigma(l/T)"),
            peak,
            0.25 / temperature,
            of="temperature",
            tolerance=1e-9 / temperature,
            identity=True,
        ),
        claim(
            "live-width",
            say("width of the unsaturated region of sigma(l/T), over that at T = 1"),
            widths[1] / widths[0],
            temperature,
            of="temperature",
            tolerance=0.01 * temperature,
            identity=True,
        ),
        limit(
            "lesson-at-0",
            say("gradient D - y at the logit 0, over that at T = 1"),
            float(tempered / plain),
            1.0,
            of="temperature",
            tolerance=1e-9,
        ),
    ]


def _of_rescaling(settings: Settings, seed: int) -> list[Measured]:
    """Compare games with a temperature with games whose last layer is rescaled, by optimizer and penalty."""
    figures = []
    # Times T^2, and neither of them out of the range of weights.
    least, most = 1.0, settings.temperature**2
    size = R1_WEIGHT if most <= 1 else R1_WEIGHT / max(1.0, most / LARGEST_FACTOR)
    r1, scaled = ([stabiliser({"name": "r1", "weight": size * factor})] for factor in (least, most))
    trials: tuple[tuple[str, str, Any, list[Stabiliser], list[Stabiliser], Any], ...] = (
        ("descent", say("gradient descent, rate / T^2"), SGD, [], [], claim),
        ("adam", say("Adam, rate / T"), Adam, [], [], claim),
        ("r1-scaled", say("gradient descent with R1, its weight times T^2"), SGD, r1, scaled, claim),
        ("r1-kept", say("gradient descent with R1, its weight unchanged"), SGD, r1, r1, limit),
    )
    for key, words, kind, tempered_penalties, rescaled_penalties, of_claim in trials:
        error = rescaling_error(settings, seed, kind, tempered_penalties, rescaled_penalties)
        title = say("difference between T and a last layer divided by T: {words}", words=words)
        figures.append(
            of_claim(
                f"rescaled-{key}",
                title,
                error,
                0.0,
                of="temperature",
                tolerance=1e-6,
                identity=of_claim is claim,
            )
        )
    return figures


def rescaling_error(
    settings: Settings,
    seed: int,
    kind: type[SGD] | type[Adam],
    tempered_penalties: Sequence[Stabiliser],
    rescaled_penalties: Sequence[Stabiliser],
) -> float:
    """Return the largest difference, over the spread of logits, between the logits over T of a game with
    temperature and the logits of a game without one, whose last layer starts at 1/T of its weights and has a
    smaller learning rate.

    Plain gradient descent needs 1/T^2 of the rate, since the gradient of a layer T times as small is T times
    as large. Adam ignores the scale of gradients and needs 1/T.
    """
    temperature = settings.temperature
    last_rate = 1 / temperature**2 if kind is SGD else 1 / temperature
    if kind is SGD:
        # Below T = 1 the gradients of all layers are 1/T times as large, and games would grow without bound.
        make = partial(SGD, lr=0.05 * min(1.0, temperature) ** 2, fused=True)
    else:
        make = partial(Adam, lr=0.002, eps=EPSILON, fused=True)
    tempered = _double_game(
        Loss("non-saturating", temperature=temperature), tempered_penalties, seed, make, 1.0
    )
    rescaled = _double_game(Loss("non-saturating"), rescaled_penalties, seed, make, last_rate)
    with torch.no_grad():
        for weight in _last_layer(rescaled).parameters():
            weight /= temperature
    for game in (tempered, rescaled):
        game.play(20)
    points = ring().sample(256, torch.Generator().manual_seed(seed)).double()
    with torch.no_grad():
        expected = tempered.gan.discriminator(points) / temperature
        measured = rescaled.gan.discriminator(points)
    return float((measured - expected).abs().max() / expected.std())


def _double_game(
    loss: Loss, stabilisers: Sequence[Stabiliser], seed: int, make: Callable[..., Any], last_rate: float
) -> Game:
    """Build a game on the ring in float64. ``make`` builds its optimizers; the rate of D's last layer is
    multiplied by ``last_rate``.
    """
    game = game_of_points(
        lambda num, noise: ring().sample(num, noise).double(),
        loss=loss,
        stabilisers=stabilisers,
        networks=PointNetworks(width=16),
        training=PointTraining(seed, num_points=64),
    )
    draw = game.draw
    game.draw = lambda noise: tuple(tensor.double() for tensor in draw(noise))  # pyright: ignore[reportAttributeAccessIssue]
    gan = game.gan
    for network in (gan.generator, gan.discriminator, gan.generator_ema):
        network.double()
    last = list(_last_layer(game).parameters())
    others = [
        weight for weight in gan.discriminator.parameters() if all(weight is not tensor for tensor in last)
    ]
    gan.generator_optimizer = make(gan.generator.parameters())
    gan.discriminator_optimizer = make([{"params": others}, {"params": last}])
    gan.discriminator_optimizer.param_groups[1]["lr"] *= last_rate
    return game


def _last_layer(game: Game) -> nn.Module:
    """Return the last layer of the discriminator."""
    return cast(Any, game.gan.discriminator).layers[-1]
