"""The temperature on the bench: its sigmoid, and the same game without it, its last layer rescaled."""

from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import nn
from torch.optim import SGD, Adam

from ganzfeld.lab.experiments.soft_labels import Settings
from ganzfeld.lab.experiments.soft_labels.lessons import lessons_of
from ganzfeld.lab.game import Game, PointNetworks, PointTraining, game_of_points, ring
from ganzfeld.lab.outcome import Measured, claim, limit
from ganzfeld.losses import Loss
from ganzfeld.stabilisers import Stabiliser, stabiliser


def measured_temperature(settings: Settings, seed: int) -> list[Measured]:
    """Measure a temperature's sigmoid, and the same training without it, its last layer rescaled."""
    warmth = settings.temperature
    logits = torch.linspace(-60 * max(warmth, 1), 60 * max(warmth, 1), 200_001, dtype=torch.float64)
    widths, peak = [], 0.0
    for degree in (1.0, warmth):
        at = logits.clone().requires_grad_()
        (slope,) = torch.autograd.grad(torch.sigmoid(at / degree).sum(), at)
        peak = float(slope.max())
        widths.append(float((slope > 0.01 * peak).sum()))
    at_zero = torch.zeros(2, dtype=torch.float64)
    plain, warm = (
        lessons_of(Loss("non-saturating", temperature=degree), at_zero)[0][0] for degree in (1.0, warmth)
    )
    figures = [
        claim(
            "peak-slope", "peak slope of sigma(l/T)", peak, 0.25 / warmth, of="temperature", tolerance=1e-9
        ),
        claim(
            "live-width",
            "width of the live region of sigma(l/T), over that at 1",
            widths[1] / widths[0],
            warmth,
            of="temperature",
            tolerance=0.01 * warmth,
        ),
        limit(
            "lesson-at-0",
            "lesson at the logit 0, over that at T = 1",
            float(warm / plain),
            1.0,
            of="temperature",
            tolerance=1e-9,
        ),
    ]
    r1, scaled = ([stabiliser({"name": "r1", "weight": 0.1 * factor})] for factor in (1.0, warmth**2))
    trials: tuple[tuple[str, str, Any, list[Stabiliser], list[Stabiliser], Any], ...] = (
        ("descent", "gradient descent, rate / T^2", SGD, [], [], claim),
        ("adam", "Adam, rate / T", Adam, [], [], claim),
        ("r1-scaled", "gradient descent with R1, its weight times T^2", SGD, r1, scaled, claim),
        ("r1-kept", "gradient descent with R1 as it was", SGD, r1, r1, limit),
    )
    for key, what, kind, theirs, ours, of_claim in trials:
        off = rescaled_game_differs(settings, seed, kind, theirs, ours)
        title = f"T against the last layer divided by T: {what}"
        # Adam's epsilon is all that keeps it from being exact.
        near = 1e-3 if kind is Adam else 1e-9
        figures.append(of_claim(f"rescaled-{key}", title, off, 0.0, of="temperature", tolerance=near))
    return figures


def rescaled_game_differs(
    settings: Settings,
    seed: int,
    kind: type[SGD] | type[Adam],
    theirs: Sequence[Stabiliser],
    ours: Sequence[Stabiliser],
) -> float:
    """Return by how much the logits over T of a game with temperature differ, relative to their spread, from
    those of a game without one, its last layer begun at 1/T of the weights and its rate divided.

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
        wanted = warm.gan.discriminator(points) / warmth
        measured = plain.gan.discriminator(points)
    return float((measured - wanted).abs().max() / wanted.std())


def _double_game(
    loss: Loss, stabilisers: Sequence[Stabiliser], seed: int, kind: type[SGD] | type[Adam], last_rate: float
) -> Game:
    """Build a game on the ring in float64, the rate of D's last layer multiplied."""
    game = game_of_points(
        lambda num, noise: ring().sample(num, noise).double(),
        loss=loss,
        stabilisers=stabilisers,
        networks=PointNetworks(width=16),
        training=PointTraining(seed, num_points=64),
    )
    drawn = game.draw
    game.draw = lambda noise: tuple(tensor.double() for tensor in drawn(noise))  # pyright: ignore[reportAttributeAccessIssue]
    gan, rate = game.gan, 0.05 if kind is SGD else 0.002
    for network in (gan.generator, gan.discriminator, gan.generator_ema):
        network.double()
    last = list(_last_layer(game).parameters())
    others = [
        weight for weight in gan.discriminator.parameters() if all(weight is not tensor for tensor in last)
    ]
    gan.generator_optimizer = kind(gan.generator.parameters(), lr=rate, fused=True)
    gan.discriminator_optimizer = kind(
        [{"params": others}, {"params": last, "lr": rate * last_rate}], lr=rate, fused=True
    )
    return game


def _last_layer(game: Game) -> nn.Module:
    """Return the last layer of the discriminator."""
    return cast(Any, game.gan.discriminator).layers[-1]
