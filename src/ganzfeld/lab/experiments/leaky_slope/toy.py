"""The bench of ``leaky-slope``: slopes by Monte Carlo, and gradients through random networks."""

import math
from typing import Any

import torch
from torch import Tensor, nn

from ganzfeld.compute.seeding import Purpose, noise_at
from ganzfeld.lab.estimate import Estimate, jackknife, mean_and_error
from ganzfeld.lab.experiments.leaky_slope import Settings, theory
from ganzfeld.lab.language import Phrase, say
from ganzfeld.lab.layers import slope_of
from ganzfeld.lab.outcome import Measured, claim, largest_error, shown
from ganzfeld.networks.activations import activations
from ganzfeld.networks.normalisations import normalisations

ACTIVATIONS = ("relu", "leaky-relu")
"""Activations whose networks are compared, in the order of ``gradient_energies``."""


def bench(settings: Settings, seed: int, thorough: bool) -> tuple[list[Measured], dict[str, Any]]:
    """Measure slopes by Monte Carlo, and gradients through random networks with and without normalisation."""
    figures = _slopes(settings, seed)
    through: dict[str, dict[str, list[float]]] = {}
    for normalisation in normalisations.names():
        if normalisations.load(normalisation).ON_WEIGHTS:
            continue
        energy = torch.stack(
            [gradient_energies(normalisation, settings, seed, k) for k in range(settings.networks)]
        )
        # In a narrow network every unit of a layer can be negative, and then no gradient passes.
        energy = energy[(energy > 0).all(2).all(1)]
        if len(energy) < 2:
            continue
        figures += _through(normalisation, energy, settings)
        norms = energy.mean(0).sqrt()
        through[normalisation] = {
            name: (row / row[-1]).tolist() for name, row in zip(ACTIVATIONS, norms, strict=True)
        }
    return figures, {"through": through}


def _through(normalisation: str, energy: Tensor, settings: Settings) -> list[Measured]:
    """Measure the gain of a gradient per layer, from mean squared gradients (networks, 2, depth + 1)."""
    alpha, depth = settings.alpha, settings.depth
    # The first layer gets the images, which no activation has made: it counts only where there is no other.
    first = 1 if depth > 1 else 0
    layers, passed = depth - first, energy[:, :, first] / energy[:, :, -1]
    ratio = jackknife(passed, lambda e: (e.mean(0)[1] / e.mean(0)[0]) ** (0.5 / layers))
    behind = in_words(normalisation)
    name = say("gain of the gradient per layer, LeakyReLU over ReLU, {behind}", behind=behind)
    figures = [claim(f"gain-{normalisation}", name, ratio, 1 + alpha, of="depth")]
    for row, (activation, slope) in enumerate(zip(ACTIVATIONS, (0.0, alpha), strict=True)):
        value = jackknife(passed[:, row], lambda e: e.mean().sqrt() ** (1 / layers))
        key, words = (
            f"per-layer-{normalisation}-{activation}",
            say("{activation}, {behind}", activation=activation, behind=behind),
        )
        name = say("factor of a layer on the gradient's norm, {words}", words=words)
        if normalisation == "batch":
            figures.append(claim(key, name, value, theory.mean_slope(slope), of="depth"))
        else:
            figures.append(shown(key, name, value))
    if normalisation not in ("none", "batch"):
        return figures
    expected = math.sqrt(1 + alpha**2)
    if normalisation == "batch":
        expected = theory.normalised_gain(alpha) / theory.normalised_gain(0)
    name = say(
        "gain of the gradient per layer, LeakyReLU over ReLU, {behind}: by root mean square slopes",
        behind=behind,
    )
    tolerance = 0.2 / math.sqrt(settings.width)
    figures.append(shown(f"gain-formula-{normalisation}", name, ratio, expected, tolerance=tolerance))
    total = jackknife(energy[:, :, 0] / energy[:, :, -1], lambda e: (e.mean(0)[0] / e.mean(0)[1]).sqrt())
    name = say("gradient after {depth} layers, ReLU over LeakyReLU, {behind}", depth=depth, behind=behind)
    figures.append(claim(f"gradient-{normalisation}", name, total, 1.0, relation="<", of="further"))
    return figures


def in_words(normalisation: str) -> Phrase:
    """Name a normalisation for people."""
    return (
        say("no normalisation")
        if normalisation == "none"
        else say("{name} normalisation", name=normalisation)
    )


def _slopes(settings: Settings, seed: int) -> list[Measured]:
    """Measure the slopes of the catalogue's activations, by autograd at Gaussian draws."""
    alpha, mean, std = settings.alpha, settings.mean, settings.std
    noise = torch.Generator().manual_seed(seed)
    preactivations = mean + std * torch.randn(settings.draws, generator=noise, dtype=torch.float64)
    relu, leaky = slopes("relu", alpha, preactivations), slopes("leaky-relu", alpha, preactivations)
    figures = [
        largest_error(
            "leak",
            say("slope of LeakyReLU at negative inputs, largest difference from alpha"),
            leaky[preactivations < 0] - alpha,
            of="leak",
            tolerance=1e-12,
        ),
        claim(
            "mean-relu",
            say("mean slope of ReLU"),
            mean_and_error(relu),
            theory.mean_slope(0, mean, std),
            of="mean-slope",
        ),
        claim(
            "mean-leaky-relu",
            say("mean slope of LeakyReLU"),
            mean_and_error(leaky),
            theory.mean_slope(alpha, mean, std),
            of="mean-slope",
        ),
    ]
    # The mean of two slopes has the error of the share above 0, which determines it.
    above, error, dof = mean_and_error((preactivations > 0).double())
    squares = [float(leaky.square().mean()), float(relu.square().mean())]
    ratio = math.sqrt(squares[0] / squares[1])
    error *= alpha**2 / (2 * ratio * above**2)
    mean_ratio = theory.mean_slope(alpha, mean, std) / theory.mean_slope(0, mean, std)
    rms_ratio = theory.rms_slope(alpha, mean, std) / theory.rms_slope(0, mean, std)
    return [
        *figures,
        claim(
            "rms-ratio",
            say("root mean square slope, LeakyReLU over ReLU"),
            Estimate(ratio, error, dof),
            mean_ratio,
            of="depth",
        ),
        shown(
            "rms-ratio-formula",
            say("root mean square slope, LeakyReLU over ReLU: by its own formula"),
            Estimate(ratio, error, dof),
            rms_ratio,
        ),
    ]


def slopes(activation: str, alpha: float, at: Tensor) -> Tensor:
    """Return the slope of an activation of the catalogue at every number of a tensor."""
    return slope_of(activations.load(activation).activation(alpha), at)


def gradient_energies(normalisation: str, settings: Settings, seed: int, number: int) -> Tensor:
    """Return mean squared gradients (2, depth + 1) before each layer of a random network and after the last,
    with ReLU and with LeakyReLU, for the same weights, images and gradient at the end.
    """
    rows = []
    for activation in ACTIVATIONS:
        noise = noise_at(seed, Purpose.GENERATOR_WEIGHTS, number)
        maps = [torch.randn(16, settings.width, 4, 4, generator=noise).double().requires_grad_()]
        for _ in range(settings.depth):
            maps.append(_layer(normalisation, activation, settings, noise)(maps[-1]))
        last_gradient = torch.randn(maps[-1].shape, generator=noise).double()
        gradients = torch.autograd.grad(maps[-1], maps, last_gradient)
        rows.append(torch.stack([gradient.square().mean() for gradient in gradients]))
    return torch.stack(rows)


def _layer(normalisation: str, activation: str, settings: Settings, noise: torch.Generator) -> nn.Module:
    """Build a random layer: a 1x1 convolution, its normalisation, an activation."""
    width = settings.width
    mixing = nn.Conv2d(width, width, 1, bias=False)
    with torch.no_grad():
        weight = torch.randn(mixing.weight.shape, generator=noise)
        mixing.weight.copy_(weight * math.sqrt(2 / width))
    normalised = normalisations.load(normalisation).normalise(mixing, width, 2)
    return nn.Sequential(*normalised, activations.load(activation).activation(settings.alpha)).double()
