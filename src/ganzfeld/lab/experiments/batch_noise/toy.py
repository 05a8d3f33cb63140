"""How wrong the variance of a small batch is, and what it is of a batch of maps."""

import math
from collections.abc import Sequence
from typing import Any, final

import torch
from pydantic import Field, field_validator
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase

from ganzfeld.errors import UsageError
from ganzfeld.lab.entering import live_maps
from ganzfeld.lab.estimate import jackknife, mean_and_error
from ganzfeld.lab.experiments.batch_noise.figure import draw as draw
from ganzfeld.lab.live import Live
from ganzfeld.lab.outcome import Measured
from ganzfeld.networks.normalisations import normalisations
from ganzfeld.recipes.schema import Section

CLAIM = (
    "The relative squared error of the variance of a batch is 2/(B-1), which is large for small batches; "
    "instance normalisation takes its statistics within each picture and so does not depend on B."
)
CLAIM_ZH = (
    "批内方差的期望平方相对误差为 2/(B-1)，批量小时非常大；"
    "实例归一化在每个样本内部计算统计量，因此完全不依赖于 B。"
)
SECTION = "归一化层：稳定深度对抗系统 / 生成器中的批量归一化"
FORMULAS = {
    "unbiased variance": r"E[(S^2 - \sigma^2)^2] \,/\, \sigma^4 = 2/(B-1)",
    "variance that batch norm divides by": r"(2B-1)/B^2",
    "correlated maps": r"\left(\mathrm{tr}\,A\Sigma - \sigma^2\right)^2 + 2\,\mathrm{tr}(A\Sigma A\Sigma)",
    "numbers that a pool is worth": r"n = 1 + 2\,/\,\mathrm{error}",
}
SHORT = {"draws": 20_000}
THOROUGH = {"draws": 1_000_000}

BATCHES = (2, 4, 16, 64)
"""Always measured, beside the one that is set."""

MOST_NUMBERS = 12_800_000
"""Drawn at a time, of 8 bytes each."""

POOL = 1_024
"""Latents whose maps in situ stand for all."""


@final
class Settings(Section):
    """``batch``: pictures in a batch, measured beside 2, 4, 16 and 64. ``draws``: of the Monte Carlo, fewer
    for large batches.

    ``side``: height and width of the maps on the bench, in pixels. ``reach``: of their correlation,
    exp(-distance/reach), in pixels; 0 for white noise.
    """

    batch: int = 8
    draws: int = Field(default=200_000, ge=1_000, le=2_000_000)
    side: int = Field(default=6, ge=2, le=16)
    reach: float = Field(default=2.0, ge=0, le=1_000)

    @field_validator("batch")
    @classmethod
    def _has_a_variance(cls, batch: int) -> int:
        if not 2 <= batch <= 256:
            raise UsageError(
                f"a batch of {batch} cannot be measured: from 2, of which there is a variance, to 256"
            )
        return batch


def unbiased_error(num: int) -> float:
    """E[(S^2 - sigma^2)^2] / sigma^4 = 2 / (n - 1) for n independent Gaussian numbers; seed text."""
    return 2 / (num - 1)


def biased_error(num: int) -> float:
    """The same for the variance that is divided by n, not n - 1, as normalisations do: (2 n - 1) / n^2.

    It is S^2 (n - 1)/n: a spread of 2 (n - 1)/n^2 and the square of a bias of -1/n.
    """
    return (2 * num - 1) / num**2


def correlated_error(covariance: Tensor, batch: int) -> float:
    """The same for the biased variance over a batch of independent Gaussian maps, each with ``covariance``
    (n, n) between its positions and the same variance everywhere.

    That variance is x'Ax with A = (1 - 11'/N)/N over all N = batch n numbers, of which the mean is
    tr(A Sigma) and the variance 2 tr(A Sigma A Sigma); Sigma has one block a picture.
    """
    num = batch * len(covariance)
    ones_once, ones_twice = float(covariance.sum()), float((covariance @ covariance).sum())
    trace, square_trace = float(covariance.trace()), float(covariance.square().sum())
    mean = batch * (trace - ones_once / num) / num
    spread = batch * (square_trace - 2 * ones_twice / num + batch * ones_once**2 / num**2) / num**2
    variance = trace / len(covariance)
    return ((mean - variance) ** 2 + 2 * spread) / variance**2


def worth(error: float) -> float:
    """How many independent numbers have a variance with that error: n of ``unbiased_error``."""
    return 1 + 2 / error


def correlations(side: int, reach: float) -> Tensor:
    """exp(-distance/reach) between the positions of a square map, (side^2, side^2)."""
    along = torch.arange(side, dtype=torch.float64)
    places = torch.cartesian_prod(along, along)
    return torch.exp(-torch.cdist(places, places) / reach) if reach else torch.eye(side**2).double()


def bench(settings: Settings, seed: int, thorough: bool) -> tuple[list[Measured], dict[str, Any]]:
    """The variances by which the catalogue's own modules divide Gaussian numbers, and their errors."""
    noise = torch.Generator().manual_seed(seed)
    figures: list[Measured] = []
    curve: dict[str, Any] = {"batch": [], "unbiased": [], "biased": []}
    for batch in sorted({*BATCHES, settings.batch}):
        draws = min(settings.draws, MOST_NUMBERS // batch)
        variances = variance_divided_by("batch", (batch, draws, 1, 1), None, noise)
        unbiased = mean_and_error((variances * batch / (batch - 1) - 1).square())
        biased = mean_and_error((variances - 1).square())
        own = "variance that batch norm divides by"
        figures += [
            Measured(
                f"error of the unbiased variance, B = {batch}",
                *unbiased,
                unbiased_error(batch),
                "claim",
                "bench",
            ),
            Measured(f"error of the {own}, B = {batch}", *biased, unbiased_error(batch), "limit", "bench"),
            Measured(
                f"error of the {own}, B = {batch}: (2B-1)/B^2", *biased, biased_error(batch), "shown", "bench"
            ),
        ]
        for key, value in (("batch", batch), ("unbiased", unbiased), ("biased", biased)):
            curve[key].append(value)
    grid = range(2, 91)
    formulas = [[formula(num) for num in grid] for formula in (float, unbiased_error, biased_error)]
    return [*figures, *_of_maps(settings, noise), *_of_instances(settings, noise)], {
        "curve": curve,
        "formulas": formulas,
        "batches": BATCHES,
    }


def _of_maps(settings: Settings, noise: torch.Generator) -> list[Measured]:
    """What the correlation between positions makes of batch norm's error."""
    batch, side = settings.batch, settings.side
    draws = max(200, settings.draws // (batch * side**2))
    covariance = correlations(side, settings.reach)
    variances = variance_divided_by("batch", (batch, draws, side, side), covariance, noise)
    measured, num = mean_and_error((variances - 1).square()), batch * side**2
    name = f"error of the variance over {batch} maps of {side}x{side}, correlated over {settings.reach:g} px"
    exact = correlated_error(covariance, batch)
    return [
        Measured(name, *measured, unbiased_error(num), "limit", "bench"),
        Measured(f"{name}: by tr(A Sigma A Sigma)", *measured, exact, "shown", "bench"),
        Measured(
            f"independent numbers that these {num} are worth",
            *(worth(measured[0]), 2 * measured[1] / measured[0] ** 2, worth(exact), "shown", "bench"),
        ),
    ]


@torch.no_grad()
def _of_instances(settings: Settings, noise: torch.Generator) -> list[Measured]:
    """What instance norm does not depend on, and what that costs."""
    side = settings.side
    num = side**2
    draws = max(2_000, settings.draws // num)
    variances = variance_divided_by("instance", (1, draws, side, side), None, noise)
    measured = mean_and_error((variances - 1).square())
    instance = normalised("instance", 3)
    one, mates = torch.randn(2, settings.batch, 3, side, side, generator=noise, dtype=torch.float64)
    mates[0] = one[0]
    change = float((instance(one)[0] - instance(mates)[0]).abs().max())
    name = f"error of instance norm's variance on white maps of {side}x{side}"
    kept = instance(torch.randn(64, 3, 1, 1, generator=noise, dtype=torch.float64) + one[:1])
    means = kept.mean((2, 3)).var(0).mean() / one[:1].var()
    contrast = torch.rand(64, 1, 1, 1, generator=noise, dtype=torch.float64) + 0.5
    spread = instance(contrast * one[:1]).std((2, 3))
    return [
        Measured(
            "change of instance norm's output as its batch-mates change",
            change,
            0.0,
            0.0,
            "claim",
            "bench",
            1e-12,
        ),
        Measured(name, *measured, 0.0, "limit", "bench"),
        Measured(f"{name}: (2n-1)/n^2", *measured, biased_error(num), "shown", "bench"),
        Measured(
            "pictures of 1x1 that instance norm can normalise",
            float(takes(instance, (2, 3, 1, 1))),
            0.0,
            1.0,
            "limit",
            "bench",
        ),
        Measured(
            "variance of brightness that is left behind instance norm",
            float(means),
            0.0,
            1.0,
            "limit",
            "bench",
        ),
        Measured(
            "variance of contrast that is left behind instance norm",
            float(spread.var(0).mean() / contrast.var()),
            0.0,
            1.0,
            "limit",
            "bench",
        ),
    ]


def normalised(name: str, channels: int) -> nn.Module:
    """The catalogue's normalisation of maps as they are, in float64."""
    return nn.Sequential(*normalisations.load(name).normalise(nn.Identity(), channels, 2)).double()


def takes(module: nn.Module, shape: tuple[int, ...]) -> bool:
    """Whether a module takes maps of that shape in training."""
    try:
        module(torch.zeros(shape, dtype=torch.float64))
    except ValueError:
        return False
    return True


def variance_divided_by(
    name: str, shape: tuple[int, int, int, int], covariance: Tensor | None, noise: torch.Generator
) -> Tensor:
    """The variances (C,) by which a normalisation divides Gaussian maps (B, C, H, W) of variance 1.

    Read from what it does to two numbers of a channel: their difference is divided by sqrt(variance + eps).
    """
    maps = torch.randn(shape, generator=noise, dtype=torch.float64)
    if covariance is not None:
        maps = (maps.flatten(2) @ torch.linalg.cholesky(covariance).T).view(shape)
    module = normalised(name, shape[1])
    (eps,) = [part.eps for part in module.modules() if isinstance(part, _NormBase)]
    with torch.no_grad():
        out = module(maps)
    before, after = (_by_channel(given) for given in (maps, out))
    scale = before.diff(dim=1)[:, 0] / after.diff(dim=1)[:, 0]
    return scale.square() - eps


def _by_channel(maps: Tensor) -> Tensor:
    return maps.transpose(0, 1).flatten(1)


def in_situ(live: Live, settings: Settings, seed: int) -> tuple[list[Measured], dict[str, Any]]:
    """What the maps of the generator's layers are worth, and what their noise does to pictures."""
    figures: list[Measured] = []
    layers: dict[str, Any] = {"name": [], "positions": [], "worth": [], "erased": [], "errors": []}
    for number, maps in enumerate(live_maps(live, "generator", POOL, norms=True, together=POOL), 1):
        side = "x".join(map(str, maps.shape[2:]))
        positions = math.prod(maps.shape[2:])
        error = batch_error(maps, settings.batch, seed)
        num = settings.batch * positions
        of = f"layer {number}, {side}"
        value = (worth(error[0]), 2 * error[1] / error[0] ** 2)
        figures.append(
            Measured(
                f"numbers that {settings.batch} pictures are worth, {of}", *value, num, "limit", "in situ"
            )
        )
        small = batch_error(maps, 2, seed)
        figures.append(
            Measured(f"error of the variance at B = 2, {of}", *small, unbiased_error(2), "limit", "in situ")
        )
        means = maps.double().flatten(2).mean(2)
        erased = means.var(0, correction=0) / maps.double().var((0, *range(2, maps.dim())), correction=0)
        figures.append(
            Measured(
                f"share of the variance that instance norm would take away, {of}",
                *mean_and_error(erased),
                0.0,
                "limit",
                "in situ",
            )
        )
        layers["name"].append(of)
        layers["positions"].append(positions)
        layers["worth"].append(value[0] / settings.batch)
        layers["erased"].append(float(erased.mean()))
        layers["errors"].append([batch_error(maps, batch, seed)[0] for batch in BATCHES])
    changes = []
    if normalisations.load(live.recipe.generator.normalisation).ACROSS_PICTURES:
        for batch in BATCHES:
            change = changed_by_company(live, batch, seed)
            figures.append(
                Measured(
                    f"change of a picture with its company, over the spread of pictures, B = {batch}",
                    *change,
                    None,
                    "shown",
                    "in situ",
                )
            )
            changes.append(change)
    return figures, {"layers": layers, "changes": changes}


def batch_error(maps: Tensor, batch: int, seed: int, batches: int = 400) -> tuple[float, float]:
    """Relative squared error, mean over channels, of the biased variance of random batches of these maps
    (N, C, *size), against that of all of them; with its standard error over the batches.
    """
    flat = maps.double().flatten(2)
    mean, square = flat.mean(2), flat.square().mean(2)
    variance = square.mean(0) - mean.mean(0).square()
    random = torch.Generator().manual_seed(seed)
    chosen = torch.randint(len(maps), (batches, batch), generator=random)
    of_batch = square[chosen].mean(1) - mean[chosen].mean(1).square()
    varied = variance > 1e-12
    return mean_and_error((of_batch[:, varied] / variance[varied] - 1).square().mean(1))


@torch.no_grad()
def changed_by_company(live: Live, batch: int, seed: int) -> tuple[float, float]:
    """Root mean square change of a picture from one random batch to another, over the spread between pictures
    of different latents; with its standard error over the batches.
    """
    generator = live.trainer().players.generator
    latents = live.latents(256, seed)
    random = torch.Generator().manual_seed(seed)
    made = []
    for _ in range(2):
        order = torch.randperm(len(latents), generator=random)
        pictures = torch.cat([generator(latents[part]) for part in order.split(batch)])
        made.append(pictures[order.argsort()])
    first, again = (pictures.double().flatten(1) for pictures in made)
    spread = torch.cat((first, again)).var(0).mean()
    changes = ((first - again).square().mean(1) / 2 / spread).view(16, -1).mean(1)
    return jackknife(changes, lambda kept: kept.mean().sqrt())


def advice(figures: Sequence[Measured]) -> str:
    """What to do about it."""
    value = {figure.name: figure.value for figure in figures}
    two = value["error of the variance that batch norm divides by, B = 2"]
    layers = [
        number for name, number in value.items() if name.startswith("error of the variance at B = 2, layer")
    ]
    erased = [
        number for name, number in value.items() if name.startswith("share of the variance that instance")
    ]
    changes = {
        name.split()[-1]: number for name, number in value.items() if name.startswith("change of a picture")
    }
    seen = "".join(
        f" With {size} pictures a batch, a picture changes by {100 * changes[size]:.0f} % of the spread "
        "between pictures when its company does."
        for size in ("2", "64")
        if size in changes
    )
    return (
        "Do not read 2/(B-1) as the noise of a convolutional batch norm: it divides by the biased variance, "
        f"whose error at B = 2 is {two:.2f}, not 2, and its statistics pool the positions of all maps. At B "
        f"= 2 the layers here had errors from {min(layers):.2g} to {max(layers):.2g}: far below 2, and far "
        f"above what as many independent numbers would have.{seen} Instance norm does not depend on the "
        "batch, but it has a noise of its own on small maps, cannot be used at 1x1, and takes brightness and "
        f"contrast of each map away: up to {100 * max(erased):.2g} % of the variance of a layer here. Where "
        "batches must be small, group or layer normalisation keep more."
    )
