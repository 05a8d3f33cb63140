"""The bench of ``batch-leak``: one layer, whole networks, a probe, and discriminators of toy images."""

import math
from typing import Any

import torch
from torch import Tensor, nn

from ganzfeld.lab.estimate import Estimate, mean_and_error
from ganzfeld.lab.experiments.batch_leak import BATCHINGS, NORMS, Settings, theory
from ganzfeld.lab.experiments.batch_leak.images import SIDE, toy_discriminator
from ganzfeld.lab.experiments.batch_leak.taught import matrix
from ganzfeld.lab.language import say
from ganzfeld.lab.layers import norm_of_maps
from ganzfeld.lab.outcome import Measured, claim, largest_error, shown
from ganzfeld.networks.normalisations import normalisations

SHARES = tuple(eighth / 8 for eighth in range(9))

CROWD = 4_096
"""Number of images whose statistics stand for those of all images."""

MARGIN = 0.02
"""By how much a discriminator must classify better than single images allow to count as cheating."""

TINY = 1e-300
"""A divisor in place of 0."""


def bench(settings: Settings, seed: int, thorough: bool) -> tuple[list[Measured], dict[str, Any]]:
    """Measure derivatives across images, the drift of a value, a probe, and discriminators of toy images."""
    noise = torch.Generator().manual_seed(seed)
    figures = [_one_layer(settings, noise), *_whole_networks(settings, seed)]
    drift, curve = _drift(settings, noise)
    cells, data = matrix(settings, seed)
    more = _taught(cells, data["limits"])
    return [*figures, *drift, _probe(settings, noise), *more], {"drift": curve, **data}


def _taught(cells: dict[tuple[str, str], Estimate], limits: dict[str, float]) -> list[Measured]:
    """Compare what discriminators classify correctly with what single images and whole batches allow."""
    figures = [
        claim(
            "cheats-even",
            say("classified correctly in mixed 1:1 batches with batch norm, taught and tested in such"),
            cells["even", "batch"],
            theory.BEST + MARGIN,
            relation=">",
            of="cheats",
        ),
        claim(
            "cheats-random",
            say(
                "classified correctly in mixed batches of random composition with batch norm, taught in such"
            ),
            cells["random", "batch"],
            theory.BEST,
            relation=">",
            of="composition",
        ),
    ]
    for batching, words in BATCHINGS.items():
        name = say("most that whole batches allow to classify correctly, {words}", words=words)
        figures.append(shown(f"limit-{batching}", name, limits[batching]))
        for norm in NORMS:
            name = say("classified correctly, batches {words}, {norm}", words=words, norm=norm)
            figures.append(shown(f"{batching}-{norm}", name, cells[batching, norm]))
    return figures


def _one_layer(settings: Settings, noise: torch.Generator) -> Measured:
    """Compare the catalogue's batch norm with the closed form."""
    values = torch.randn(settings.batch, generator=noise, dtype=torch.float64)
    norm = norm_of_maps("batch", 1)
    jacobian = torch.autograd.functional.jacobian(lambda x: norm(x.view(-1, 1, 1, 1)).flatten(), values)
    assert isinstance(jacobian, Tensor)
    out = norm(values.view(-1, 1, 1, 1)).flatten().detach()
    scale = values.diff()[0] / out.diff()[0]
    return largest_error(
        "cross-gradient",
        say("derivatives across a batch norm, largest error of the formula"),
        jacobian - theory.cross_gradient(out, scale),
        of="depends",
        tolerance=1e-9,
    )


def _whole_networks(settings: Settings, seed: int) -> list[Measured]:
    """Measure derivatives of one image's logit by another image, for every normalisation."""
    figures = []
    for name in normalisations.names():
        entry = normalisations.load(name)
        discriminator = toy_discriminator(name, seed).double()
        discriminator.train(not entry.ON_WEIGHTS)  # power iteration moves the weights in training
        noise = torch.Generator().manual_seed(seed)
        images = torch.randn(settings.batch, 1, SIDE, SIDE, generator=noise, dtype=torch.float64)
        own, others = sensitivities(discriminator, images)
        words = say("derivative of a logit by other images, over that by its own, {name}", name=name)
        if not entry.ACROSS_IMAGES:
            figures.append(claim(f"others-over-own-{name}", words, others / own, 0.0, of="others"))
            continue
        figures.append(shown(f"others-over-own-{name}", words, others / own))
        ratio = by_differences(discriminator, images)
        figures.append(
            claim(
                f"by-differences-{name}",
                say("the same by finite differences over autograd, {name}", name=name),
                ratio,
                1.0,
                of="depends",
                tolerance=1e-4,
            )
        )
    return figures


def sensitivities(discriminator: nn.Module, images: Tensor) -> tuple[float, float]:
    """Return the root mean squares of the derivatives of logits by the pixels of their own image, and by the
    pixels of all other images together.
    """
    images = images.detach().requires_grad_()
    logits = discriminator(images)
    own, others = [], []
    for index, logit in enumerate(logits):
        (gradient,) = torch.autograd.grad(logit, images, retain_graph=True)
        squares = gradient.double().square().flatten(1).sum(1)
        own.append(squares[index])
        others.append(squares.sum() - squares[index])
    # If a discriminator has no derivative at all, that by other images is 0 as well.
    return max(math.sqrt(torch.stack(own).mean()), TINY), math.sqrt(torch.stack(others).mean().clamp_min(0))


@torch.no_grad()
def _logit(discriminator: nn.Module, images: Tensor) -> float:
    """Return the logit of the first image."""
    return float(discriminator(images)[0])


def by_differences(discriminator: nn.Module, images: Tensor, step: float = 1e-5) -> float:
    """Return the derivative of the first logit by the second image along its gradient, by central differences
    in float64, over the value of autograd; 0 if the gradient is 0.
    """
    leaf = images.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(discriminator(leaf)[0], leaf)
    norm = float(gradient[1].norm())
    if norm == 0:
        return 0.0
    change = torch.zeros_like(images)
    change[1] = gradient[1] / norm * step
    upper, lower = _logit(discriminator, images + change), _logit(discriminator, images - change)
    return (upper - lower) / (2 * step) / norm


def _drift(settings: Settings, noise: torch.Generator) -> tuple[list[Measured], dict[str, Any]]:
    """Measure the output of a batch norm for one value as the rest of the batch changes from real to fake."""
    distance, repeats = settings.distance, 64
    with_norm, without_norm = [], []
    for share in SHARES:
        values = torch.randn(CROWD, repeats, 1, 1, generator=noise, dtype=torch.float64)
        values[: round(share * CROWD)] -= distance
        values[-1] = 0.5  # replaces one real value
        with torch.no_grad():
            with_norm.append(norm_of_maps("batch", repeats)(values)[-1].flatten())
            without_norm.append(norm_of_maps("none", repeats)(values)[-1].flatten())
    measured = [mean_and_error(row) for row in with_norm]
    figures = []
    # The value itself is part of the batch whose mean and variance normalise it.
    reach = distance + 0.5
    own_part = (reach + reach**3 / 2) / CROWD
    for share in (0.0, 0.5, 1.0):
        index = SHARES.index(share)
        expected = theory.normalised_value(0.5, share, distance)
        name = say("output of a batch norm for 0.5 among {share:.0%} fakes", share=share)
        figures.append(
            claim(
                f"drift-{round(100 * share)}",
                name,
                measured[index],
                expected,
                of="depends",
                tolerance=own_part,
            )
        )
    change = float((without_norm[-1] - without_norm[0]).abs().max())
    figures.append(
        claim(
            "drift-no-norm",
            say("change of that output without a norm, from all real to all fake"),
            change,
            0.0,
            of="others",
        )
    )
    return figures, {
        "share": SHARES,
        "measured": measured,
        "exact": [theory.normalised_value(0.5, share, distance) for share in SHARES],
    }


def _probe(settings: Settings, noise: torch.Generator) -> Measured:
    """Predict the share of fakes in a batch from its mean, by a fitted line."""
    batch, draws = settings.batch, settings.draws
    fakes = torch.randint(0, batch + 1, (draws,), generator=noise)
    values = torch.randn(draws, batch, generator=noise, dtype=torch.float64)
    values -= settings.distance * (torch.arange(batch) < fakes[:, None])
    return claim(
        "probe",
        say("R^2 of a probe on the mean of {batch} values alone", batch=batch),
        probed(values.mean(1, keepdim=True), fakes / batch),
        theory.probe_r2(batch, settings.distance),
        of="signal",
    )


def probed(statistics: Tensor, shares: Tensor) -> Estimate:
    """Return R^2 of a linear prediction of ``shares`` (n,) from ``statistics`` (n, m).

    It is fitted to the first half (with a little ridge); R^2 and its standard error are over the second.
    """
    statistics, shares = statistics.double(), shares.double()
    half = len(shares) // 2
    first = statistics[:half]
    standard = (statistics - first.mean(0)) / first.std(0).clamp_min(1e-12)
    features = torch.cat((standard, torch.ones(len(shares), 1, dtype=torch.float64)), 1)
    ridge = 1e-3 * half * torch.eye(features.shape[1], dtype=torch.float64)
    weights = torch.linalg.solve(
        features[:half].T @ features[:half] + ridge, features[:half].T @ shares[:half]
    )
    squares = (features[half:] @ weights - shares[half:]).square() / shares[half:].var()
    mean, error, dof = mean_and_error(squares)
    return Estimate(1 - mean, error, dof)
