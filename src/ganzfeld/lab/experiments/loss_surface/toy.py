"""The bench of ``loss-surface``: one layer by its closed forms, and pairs of toy networks."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from ganzfeld.compute.seeding import Purpose, derived_seed, noise_at
from ganzfeld.lab.estimate import mean_and_error
from ganzfeld.lab.experiments.loss_surface import NORMS, SIDES, Settings, theory
from ganzfeld.lab.experiments.loss_surface.figures import figure_of
from ganzfeld.lab.experiments.loss_surface.pairs import ACTIVATION, LOSS, draw, game_of, learned
from ganzfeld.lab.experiments.loss_surface.surface import MEASURES, compared, landscape_of
from ganzfeld.lab.language import say
from ganzfeld.lab.layers import norm_of_maps
from ganzfeld.lab.outcome import Measured, claim, largest_error, limit
from ganzfeld.training.step import GANState

CHANNELS = 64
ROWS = 256
"""Numbers per channel on the bench of one layer."""

PAIRS = {
    "generator": (("batch", "none"), ("none", "none")),
    "discriminator": (("batch", "batch"), ("batch", "none")),
}
"""By side: norms of both networks (generator, discriminator) with its norm and without."""

RATES = (1.0, 5.0, 25.0)
"""Learning rates at which networks learn, in those of the settings."""


def bench(settings: Settings, seed: int, thorough: bool) -> tuple[list[Measured], dict[str, Any]]:
    """Check the closed forms on one layer, and compare toy networks that train with and without norms."""
    noise = torch.Generator().manual_seed(seed)
    figures, data = _of_pairs(settings, seed)
    return [_gradient_formula(noise), _enlarged(settings, noise), *_scaled(noise), *figures], data


def through(maps: Tensor, gradient: Tensor, gain: float) -> tuple[Tensor, Tensor, Tensor]:
    """Send a gradient (m, C) through the catalogue's batch norm; return its squared norm by channel, by
    autograd, and what the closed form needs: the normalised maps (m, C) and what they are divided by, (C,).
    """
    module = norm_of_maps("batch", maps.shape[1])
    (layer,) = [part for part in module.modules() if isinstance(part, nn.BatchNorm2d)]
    nn.init.constant_(layer.weight, gain)
    at = maps[:, :, None, None].detach().requires_grad_()
    outputs = module(at)
    (by_maps,) = torch.autograd.grad(outputs, at, gradient[:, :, None, None])
    deviation = (maps.var(0, correction=0) + layer.eps).sqrt()
    return by_maps.square().sum((0, 2, 3)), outputs.detach()[:, :, 0, 0] / gain, deviation


def _gradient_formula(noise: torch.Generator) -> Measured:
    """Compare the squared gradient behind a batch norm with its closed form, at several spreads and gains."""
    errors = []
    for deviation, gain in ((0.02, 1.0), (0.3, 0.7), (1.0, 1.0), (10.0, 2.0)):
        maps = deviation * torch.randn(32, CHANNELS, generator=noise, dtype=torch.float64) + 0.5
        gradient = torch.randn(32, CHANNELS, generator=noise, dtype=torch.float64) + 0.3 * maps
        squared, normalised, divided_by = through(maps, gradient, gain)
        errors.append(theory.squared_gradient(gradient, normalised, gain, divided_by) / squared - 1)
    return largest_error(
        "gradient-formula",
        say("squared gradient behind a batch norm, largest relative error of the formula"),
        torch.stack(errors),
        of="smooth",
        tolerance=1e-9,
        part="closed form",
    )


def _enlarged(settings: Settings, noise: torch.Generator) -> Measured:
    """Measure the gradient behind a batch norm over that before, where the maps have this deviation."""
    maps = settings.deviation * torch.randn(ROWS, CHANNELS, generator=noise, dtype=torch.float64)
    gradient = torch.randn(ROWS, CHANNELS, generator=noise, dtype=torch.float64)
    squared, _, _ = through(maps, gradient, 1.0)
    ratios = (squared / gradient.square().sum(0)).sqrt()
    return limit(
        "gradient-enlarged",
        say(
            "gradient behind a batch norm over that before, maps of deviation {deviation:g}",
            deviation=settings.deviation,
        ),
        mean_and_error(ratios),
        1.0,
        of="smooth",
        relation="<",
    )


def _scaled(noise: torch.Generator) -> list[Measured]:
    """Measure the effective smoothness of the same function with weights before its norm times a factor."""
    kind: dict[str, Any] = {"generator": noise, "dtype": torch.float64}
    inputs, target = torch.randn(ROWS, 16, **kind), torch.randn(ROWS, 8, **kind)
    weights = torch.randn(8, 16, **kind) / 4
    norm = norm_of_maps("batch", 8)

    def loss(weights: Tensor) -> Tensor:
        outputs = norm((inputs @ weights.T)[:, :, None, None])[:, :, 0, 0]
        return (nn.functional.leaky_relu(outputs, 0.2) - target).square().mean()

    once = effective_smoothness(loss, weights, 0.1)
    ratios = {
        factor: effective_smoothness(loss, factor * weights, 0.1 * factor) / once for factor in (0.5, 2, 4)
    }
    errors = [ratio / theory.smoothness_after(factor) - 1 for factor, ratio in ratios.items()]
    return [
        largest_error(
            "scale-formula",
            say("effective beta with the weights before a norm scaled, largest relative error of 1/a^2"),
            torch.tensor(errors, dtype=torch.float64),
            of="smooth",
            tolerance=1e-3,
            part="closed form",
        ),
        limit(
            "beta-halved",
            say("effective beta with the weights before a norm halved, over that before"),
            ratios[0.5],
            1.0,
            of="smooth",
            tolerance=1e-3,
        ),
    ]


def effective_smoothness(loss: Callable[[Tensor], Tensor], weights: Tensor, length: float) -> float:
    """Return the change of a gradient over a step of this length along it; Santurkar et al. 2018."""

    def gradient(weights: Tensor) -> Tensor:
        at = weights.detach().requires_grad_()
        return torch.autograd.grad(loss(at), at)[0]

    here = gradient(weights)
    there = gradient(weights - length * here / here.norm())
    return float((there - here).norm() / length)


def _of_pairs(settings: Settings, seed: int) -> tuple[list[Measured], dict[str, Any]]:
    """Compare pairs of toy networks as they train, and how fast new networks learn."""
    looks = sorted({0, settings.steps // 4, settings.steps})
    replicas = [_of_replica(looks, settings, seed, number) for number in range(settings.replicas)]
    figures: list[Measured] = []
    data: dict[str, Any] = {"looks": looks, "rates": [settings.rate * rate for rate in RATES]}
    data |= {"courses": {}, "losses": {}}
    for side in SIDES:
        measures, losses = zip(*(replica[side] for replica in replicas), strict=True)
        ratios, courses = zip(*map(compared, measures), strict=True)
        for measure in MEASURES:
            values = torch.tensor([row[measure] for row in ratios], dtype=torch.float64)
            figures.append(figure_of(measure, side, mean_and_error(values)))
        table = torch.stack(losses)
        figures += _of_speed(side, table, settings)
        data["courses"][side], data["losses"][side] = courses[0], table.mean(0).tolist()
    return figures, data


def _of_replica(looks: list[int], settings: Settings, seed: int, number: int) -> dict[str, Any]:
    """Train the pairs of one replica. Return by side the measures at every look, with the norm of that side
    and without, and the losses of new networks that learn, (2, rates).
    """
    games = {norms: game_of(*norms, settings, seed, number) for pair in PAIRS.values() for norms in pair}
    real, latents = draw(2 * settings.batch, noise_at(seed, Purpose.STABILISERS, number))
    measures: dict[str, list[list[dict[str, float]]]] = {side: [] for side in SIDES}
    for look in looks:
        for game in games.values():
            game.play(look - game.index)
        for side, pair in PAIRS.items():
            landscapes = (
                landscape_of(side, games[norms].gan, LOSS, real, latents, settings.rate, ACTIVATION)
                for norms in pair
            )
            measures[side].append([landscape.measure() for landscape in landscapes])
    frozen, of_learning = games["batch", "none"].gan, derived_seed(seed, Purpose.STABILISERS, number)
    return {side: (measures[side], _losses(side, frozen, settings, of_learning)) for side in SIDES}


def _losses(side: str, frozen: GANState, settings: Settings, seed: int) -> Tensor:
    """Return the mean loss of new networks that learn, by norm and rate, (2, rates)."""
    rates = [rate * settings.rate for rate in RATES]
    return torch.tensor(
        [[learned(side, norm, frozen, rate, settings, seed) for rate in rates] for norm in NORMS],
        dtype=torch.float64,
    )


def _of_speed(side: str, table: Tensor, settings: Settings) -> list[Measured]:
    """Compare the losses (replicas, norms, rates) at the best rate of each, and at the largest rate."""
    best = table.min(2).values
    names = (
        say(
            "mean loss of the {side} over {steps} steps at its best rate, batch norm less none",
            side=say(side),
            steps=settings.steps // 2,
        ),
        say(
            "mean loss of the {side} over {steps} steps at the largest rate, batch norm less none",
            side=say(side),
            steps=settings.steps // 2,
        ),
    )
    differences = (best[:, 0] - best[:, 1], table[:, 0, -1] - table[:, 1, -1])
    keys = (("best-rate", "faster"), ("largest-rate", "steadier"))
    return [
        claim(f"{key}-{side}", name, mean_and_error(values), 0.0, of=of, relation="<")
        for (key, of), name, values in zip(keys, names, differences, strict=True)
    ]
