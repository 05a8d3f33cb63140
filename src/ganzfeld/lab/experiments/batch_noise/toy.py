"""The bench of ``batch-noise``: the variances by which normalisations divide Gaussian numbers."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase

from ganzfeld.lab.estimate import Estimate, mean_and_error
from ganzfeld.lab.experiments.batch_noise import Settings, theory
from ganzfeld.lab.language import say
from ganzfeld.lab.layers import norm_of_maps
from ganzfeld.lab.outcome import Measured, claim, limit, shown

BATCHES = (2, 4, 16, 64)
"""Batch sizes that are always measured, beside that of the settings."""

MOST_NUMBERS = 12_800_000
"""The most numbers that are drawn at a time, 8 bytes each."""


def bench(settings: Settings, seed: int, thorough: bool) -> tuple[list[Measured], dict[str, Any]]:
    """Measure the variances by which the catalogue's modules divide Gaussian numbers, and their errors."""
    noise = torch.Generator().manual_seed(seed)
    figures: list[Measured] = []
    curve: dict[str, Any] = {"batch": [], "unbiased": [], "biased": []}
    for batch in sorted({*BATCHES, settings.batch}):
        draws = min(settings.draws, MOST_NUMBERS // batch)
        variances = variance_divided_by("batch", (batch, draws, 1, 1), None, noise)
        unbiased = mean_and_error((variances * batch / (batch - 1) - 1).square())
        biased = mean_and_error((variances - 1).square())
        biased_name = say("error of the variance that batch norm divides by, B = {batch}", batch=batch)
        figures += [
            claim(
                f"unbiased-b{batch}",
                say("error of the unbiased variance, B = {batch}", batch=batch),
                unbiased,
                theory.unbiased_error(batch),
                of="error",
            ),
            claim(
                f"biased-b{batch}",
                biased_name,
                biased,
                theory.unbiased_error(batch),
                of="normalised",
            ),
            shown(
                f"biased-formula-b{batch}",
                say("{name}: (2B-1)/B^2", name=biased_name),
                biased,
                theory.biased_error(batch),
            ),
        ]
        for key, value in (("batch", batch), ("unbiased", unbiased), ("biased", biased)):
            curve[key].append(value)
    grid = range(2, 91)
    formulas = [
        [formula(num) for num in grid] for formula in (float, theory.unbiased_error, theory.biased_error)
    ]
    return [*figures, *_of_maps(settings, noise), *_of_instances(settings, noise)], {
        "curve": curve,
        "formulas": formulas,
        "batches": BATCHES,
    }


def _of_maps(settings: Settings, noise: torch.Generator) -> list[Measured]:
    """Measure the error of batch norm's variance where positions are correlated."""
    batch, side = settings.batch, settings.side
    draws = max(200, settings.draws // (batch * side**2))
    covariance = theory.correlations(side, settings.reach)
    variances = variance_divided_by("batch", (batch, draws, side, side), covariance, noise)
    measured, num = mean_and_error((variances - 1).square()), batch * side**2
    name = say(
        "error of the variance over {batch} maps of {side}x{side}, correlated over {reach:g} px",
        batch=batch,
        side=side,
        reach=settings.reach,
    )
    exact = theory.correlated_error(covariance, batch)
    return [
        limit("maps", name, measured, theory.unbiased_error(num), of="normalised"),
        shown("maps-formula", say("{name}: by tr(A Sigma A Sigma)", name=name), measured, exact),
        shown(
            "maps-worth",
            say("independent numbers that these {num} are worth", num=num),
            Estimate(
                theory.worth(measured.value),
                theory.worth_error(measured.value, measured.error),
                measured.dof,
            ),
            theory.worth(exact),
        ),
    ]


@torch.no_grad()
def _of_instances(settings: Settings, noise: torch.Generator) -> list[Measured]:
    """Measure that instance norm does not depend on the batch, and what it removes."""
    side = settings.side
    num = side**2
    draws = max(2_000, settings.draws // num)
    variances = variance_divided_by("instance", (1, draws, side, side), None, noise)
    measured = mean_and_error((variances - 1).square())
    instance = norm_of_maps("instance", 3)
    batch, other_batch = torch.randn(2, settings.batch, 3, side, side, generator=noise, dtype=torch.float64)
    other_batch[0] = batch[0]
    change = float((instance(batch)[0] - instance(other_batch)[0]).abs().max())
    name = say("error of instance norm's variance on white maps of {side}x{side}", side=side)
    outputs = instance(torch.randn(64, 3, 1, 1, generator=noise, dtype=torch.float64) + batch[:1])
    means = outputs.mean((2, 3)).var(0).mean() / batch[:1].var()
    contrast = torch.rand(64, 1, 1, 1, generator=noise, dtype=torch.float64) + 0.5
    spread = instance(contrast * batch[:1]).std((2, 3))
    return [
        claim(
            "instance-company",
            say("change of instance norm's output as the rest of the batch changes"),
            change,
            0.0,
            of="instance",
            tolerance=1e-12,
        ),
        limit("instance-white", name, measured, 0.0, of="instance"),
        shown(
            "instance-white-formula", say("{name}: (2n-1)/n^2", name=name), measured, theory.biased_error(num)
        ),
        limit(
            "instance-1x1",
            say("images of 1x1 that instance norm can normalise"),
            float(accepts(instance, (2, 3, 1, 1))),
            1.0,
            of="instance",
        ),
        limit(
            "instance-brightness",
            say("variance of brightness that instance norm leaves"),
            float(means),
            1.0,
            of="instance",
        ),
        limit(
            "instance-contrast",
            say("variance of contrast that instance norm leaves"),
            float(spread.var(0).mean() / contrast.var()),
            1.0,
            of="instance",
        ),
    ]


def accepts(module: nn.Module, shape: tuple[int, ...]) -> bool:
    """Return whether a module accepts maps of that shape in training."""
    try:
        module(torch.zeros(shape, dtype=torch.float64))
    except ValueError:
        return False
    return True


def variance_divided_by(
    name: str, shape: tuple[int, int, int, int], covariance: Tensor | None, noise: torch.Generator
) -> Tensor:
    """Return the variances (C,) by which a normalisation divides Gaussian maps (B, C, H, W) of variance 1.

    They are read from two numbers of a channel, whose difference is divided by sqrt(variance + eps).
    """
    maps = torch.randn(shape, generator=noise, dtype=torch.float64)
    if covariance is not None:
        maps = (maps.flatten(2) @ torch.linalg.cholesky(covariance).T).view(shape)
    module = norm_of_maps(name, shape[1])
    (eps,) = [part.eps for part in module.modules() if isinstance(part, _NormBase)]
    with torch.no_grad():
        out = module(maps)
    before, after = (_by_channel(numbers) for numbers in (maps, out))
    scale = before.diff(dim=1)[:, 0] / after.diff(dim=1)[:, 0]
    return scale.square() - eps


def _by_channel(maps: Tensor) -> Tensor:
    """Turn (B, C, *size) into (C, B * positions)."""
    return maps.transpose(0, 1).flatten(1)
