"""What the prior of the latent vector does to the first maps, and what a normalisation leaves of it."""

import math
from collections.abc import Sequence
from typing import Any, final

import torch
from pydantic import Field
from torch import Tensor

from ganzfeld.compute.seeding import Purpose, derived_seed, noise_at
from ganzfeld.geometry import Layer, Plan, plan
from ganzfeld.lab.entering import activation_modules, entering, norm_modules
from ganzfeld.lab.estimate import jackknife, mean_and_error
from ganzfeld.lab.experiments.latent_prior.figure import draw as draw
from ganzfeld.lab.live import Live
from ganzfeld.lab.looking import row_of
from ganzfeld.lab.outcome import Measured
from ganzfeld.latent import lerp, priors, slerp
from ganzfeld.networks import Generator, initialise
from ganzfeld.networks.initialisation import STANDARD_DEVIATION
from ganzfeld.networks.normalisations import normalisations
from ganzfeld.recipes.schema import Section

CLAIM = (
    "N(0, I) has variance 1 and U(-1, 1) 1/3, so normal latents make larger pre-activations: at the start "
    "more variety, and more risk of saturation."
)
CLAIM_ZH = (
    "N(0, I) 每个分量的方差为 1，U(-1, 1) 为 1/3；因此高斯隐向量使生成器初始前激活值的方差更大："
    "初始多样性更高，饱和风险也更高。"
)
SECTION = "隐空间 / 隐分布的选择：均匀分布 vs. 高斯分布"
FORMULAS = {
    "variance of a component": r"\mathrm{Var}\,N(0, 1) = 1, \quad \mathrm{Var}\,U(-1, 1) = 1/3",
    "pre-activations of the projection": r"\mathrm{Var}(a) = n\,\sigma_w^2\,\mathrm{Var}(z)",
    "of the next layer": r"\mathrm{Var}(a_{l+1}) = C_l\,m_l\,\sigma_w^2\,\mathrm{Var}(a_l) \,/\, 2",
    "saturation": r"P(|a| > t) = E_z\,\mathrm{erfc}\left(t \,/\, (\sqrt{2}\,\sigma_w |z|)\right)",
    "norm of a normal vector": r"E\,|z| = \sqrt{2}\,\Gamma((n+1)/2) \,/\, \Gamma(n/2) \approx \sqrt{n}",
}
SHORT = {"latents": 64, "networks": 12, "width": 4, "draws": 4_000}
THOROUGH = {"networks": 64, "latents": 512, "draws": 200_000}

SIZE_PX = 32
SATURATED = 2.0
"""Beyond this pre-activation the slope of tanh is under 0.071."""
PAIRS = 256
MOST_NUMBERS = 20_000_000
"""Drawn at a time, of 8 bytes each."""


@final
class Settings(Section):
    """``latent_size``: components of a latent. ``width`` and ``networks``: channels next to the picture and
    number of the untrained generators (32 px) that are measured, each on ``latents`` latents. ``threshold``:
    the t of P(abs(a) > t) at the projection. ``draws``: latents whose components and norms are counted,
    fewer of many components.
    """

    latent_size: int = Field(default=100, ge=2, le=4_096)
    threshold: float = Field(default=0.4, gt=0, le=100)
    width: int = Field(default=16, ge=2, le=128)
    networks: int = Field(default=16, ge=2, le=200)
    latents: int = Field(default=128, ge=16, le=8_192)
    draws: int = Field(default=40_000, ge=1_000, le=1_000_000)


PRIORS = {"normal": (1.0, 3.0), "uniform": (1 / 3, 1.8)}
"""Variance of a component (seed text), and its fourth moment over the square of its variance."""


def projection_variance(latent_size: int, variance: float) -> float:
    """Var(a) = n sigma_w^2 Var(z) of the projection, for independent weights and latents."""
    return latent_size * STANDARD_DEVIATION**2 * variance


def layer_variances(ladder: Plan, widths: Sequence[int], latent_size: int, variance: float) -> list[float]:
    """Mean squares of the pre-activations of the projection and of every layer, with ReLU and without norms.

    ReLU halves a mean square (He et al. 2015, equation 8), and every output adds ``widths`` channels over the
    cells that reach it, fewer at the borders: a product of one profile an axis, which is carried along.
    """
    whole = projection_variance(latent_size, variance)
    profiles = [[1.0] * side for side in ladder.seed]
    variances = [whole]
    for layer, width in zip(ladder.layers, widths, strict=True):
        whole *= width * STANDARD_DEVIATION**2 / 2
        profiles = [_spread_along(profile, layer, axis) for axis, profile in enumerate(profiles)]
        variances.append(whole * math.prod(sum(profile) / len(profile) for profile in profiles))
    return variances


def _spread_along(profile: Sequence[float], layer: Layer, axis: int) -> list[float]:
    """What reaches every output along an axis from cells with these mean squares."""
    reached = [0.0] * layer.large[axis]
    for cell, energy in enumerate(profile):
        for tap in range(layer.kernel[axis]):
            place = layer.stride[axis] * cell + tap - layer.padding[axis]
            if 0 <= place < len(reached):
                reached[place] += energy
    return reached


def share_beyond(threshold: float, variance: float, latent_size: int, fourth: float) -> float:
    """P(abs(a) > threshold) at the projection, whose mean square is ``variance``.

    For one latent z, a is Gaussian over the weights with a variance proportional to |z|^2. Over latents that
    has a gamma distribution of shape n / (fourth - 1): exactly so for normal ones (chi-squared), with the
    right mean and variance for others. Integrated numerically.
    """
    shape = latent_size / (fourth - 1)
    reach = 12 * math.sqrt(shape) + 40
    step = 2 * reach / 8_000
    total = 0.0
    for number in range(8_000):
        squared = shape - reach + (number + 0.5) * step
        if squared > 0:
            density = math.exp((shape - 1) * math.log(squared) - squared - math.lgamma(shape))
            total += density * math.erfc(threshold / math.sqrt(2 * variance * squared / shape)) * step
    return total


def normal_norm(size: int) -> tuple[float, float]:
    """Mean and standard deviation of the norm of a normal vector, the chi distribution: about sqrt(n) and
    sqrt(1/2), whatever n.
    """
    mean = math.sqrt(2) * math.exp(math.lgamma((size + 1) / 2) - math.lgamma(size / 2))
    return mean, math.sqrt(size - mean**2)


def bench(settings: Settings, seed: int, thorough: bool) -> tuple[list[Measured], dict[str, Any]]:
    """Components, norms and ways; pre-activations of untrained generators with and without batch norm."""
    noise = torch.Generator().manual_seed(seed)
    figures, norms = _vectors(settings, noise)
    looks = {
        name: torch.stack([_look(name, settings, seed, number) for number in range(settings.networks)])
        for name in ("none", "batch")
    }
    squares = {name: look[:, :, :-2] for name, look in looks.items()}
    figures += _without_norm(squares["none"], settings)
    figures += _with_norm(squares["batch"], settings)
    figures += _saturation({name: look[:, :, -2:] for name, look in looks.items()}, settings)
    stds = {name: square.mean(0).sqrt().tolist() for name, square in squares.items()}
    return figures, {"stds": stds, "norms": norms}


def _vectors(settings: Settings, noise: torch.Generator) -> tuple[list[Measured], dict[str, Any]]:
    """The priors themselves, their norms, and the middle of the ways between two draws."""
    size, figures, norms = settings.latent_size, [], {}
    drawn = {}
    for name, (variance, _) in PRIORS.items():
        latents = priors.load(name).sample(min(settings.draws, MOST_NUMBERS // size), size, noise).double()
        drawn[name] = latents
        value = mean_and_error(latents.square().mean(1))
        figures.append(Measured(f"variance of a component, {name}", *value, variance, "claim", "bench"))
    normal = drawn["normal"]
    fourth = normal.pow(4).mean(1)
    figures.append(
        Measured(
            "excess kurtosis of normal components, above 0 if heavy-tailed",
            *(mean_and_error(fourth - 3)),
            0.0,
            "shown",
            "bench",
        )
    )
    mean, std = normal_norm(size)
    lengths = normal.norm(dim=1)
    figures.append(Measured("mean norm of normal latents", *mean_and_error(lengths), mean, "shown", "bench"))
    value = jackknife(lengths[: len(lengths) // 20 * 20].view(20, -1), lambda kept: kept.std())
    figures.append(
        Measured("standard deviation of the norm of normal latents", *value, std, "shown", "bench")
    )
    half = len(normal) // 2
    for name, way in (("lerp", lerp), ("slerp", slerp)):
        middle = way(normal[:half], normal[half : 2 * half], 0.5).norm(dim=1)
        norms[name] = middle[:4_000].tolist()
        value = mean_and_error(middle)
        figures.append(
            Measured(
                f"norm in the middle of the way, {name}",
                *value,
                mean,
                "limit" if name == "lerp" else "shown",
                "bench",
                0.05 * mean,
            )
        )
    figures.append(
        Measured(
            "lerp's middle below the mean norm, in standard deviations of it",
            (mean - float(lerp(normal[:half], normal[half : 2 * half], 0.5).norm(dim=1).mean())) / std,
            0.0,
            (mean - mean / math.sqrt(2)) / std,
            "shown",
            "bench",
            0.1,
        )
    )
    return figures, norms | {
        "normal": lengths[:4_000].tolist(),
        "uniform": drawn["uniform"].norm(dim=1)[:4_000].tolist(),
    }


def _generator(normalisation: str, settings: Settings, seed: int, number: int) -> Generator:
    generator = Generator(
        plan(SIZE_PX), latent_size=settings.latent_size, width=settings.width, normalisation=normalisation
    )
    initialise(generator, derived_seed(seed, Purpose.GENERATOR_WEIGHTS, number))
    return generator


def _latents(prior: str, settings: Settings, seed: int, number: int) -> Tensor:
    noise = noise_at(seed, Purpose.LATENTS, number)
    return priors.load(prior).sample(settings.latents, settings.latent_size, noise)


@torch.no_grad()
def _look(normalisation: str, settings: Settings, seed: int, number: int) -> Tensor:
    """What one untrained generator makes of normal and of uniform latents, (2, layers + 2).

    Mean squares before every hidden activation and before the output, with norms before the first of them in
    front; then the shares of the projection beyond the threshold, and of outputs at which tanh is saturated.
    """
    generator = _generator(normalisation, settings, seed, number)
    layers = [*norm_modules(generator)[:1], *activation_modules(generator, "relu"), generator.output]
    rows = []
    for name in PRIORS:
        maps = entering(generator, layers, _latents(name, settings, seed, number))
        squares = [each.double().square().mean() for each in maps]
        limits = ((maps[0], settings.threshold), (maps[-1], SATURATED))
        shares = [(each.abs() > limit).double().mean() for each, limit in limits]
        rows.append(torch.stack([*squares, *shares]))
    return torch.stack(rows)


def _without_norm(free: Tensor, settings: Settings) -> list[Measured]:
    """Pre-activations by layer, and three times the variance everywhere."""
    figures = []
    ladder = plan(SIZE_PX)
    for row, (name, (variance, _)) in enumerate(PRIORS.items()):
        by_layer = layer_variances(ladder, ladder.widths(settings.width), settings.latent_size, variance)
        for number, expected in enumerate(by_layer):
            value = jackknife(free[:, row, number], lambda kept: kept.mean().sqrt())
            of = "the projection" if number == 0 else f"layer {number}"
            figures.append(
                Measured(
                    f"standard deviation of pre-activations of {of}, no norm, {name}",
                    *value,
                    math.sqrt(expected),
                    "shown" if number else "claim",
                    "bench",
                )
            )
    three = PRIORS["normal"][0] / PRIORS["uniform"][0]
    ratio = jackknife(free, lambda kept: kept[:, 0, -1].mean() / kept[:, 1, -1].mean())
    return [
        *figures,
        Measured("variance before the output, normal over uniform, no norm", *ratio, three, "claim", "bench"),
    ]


def _with_norm(normed: Tensor, settings: Settings) -> list[Measured]:
    """The first batch norm takes the scale away."""
    figures = []
    for row, (name, (variance, _)) in enumerate(PRIORS.items()):
        expected = math.sqrt(projection_variance(settings.latent_size, variance))
        before, after = (
            jackknife(normed[:, row, place], lambda kept: kept.mean().sqrt()) for place in (0, 1)
        )
        figures += [
            Measured(
                f"standard deviation before the first batch norm, {name}", *before, expected, "claim", "bench"
            ),
            Measured(
                f"standard deviation behind the first batch norm, {name}", *after, 1.0, "shown", "bench", 2e-3
            ),
        ]
    three = PRIORS["normal"][0] / PRIORS["uniform"][0]
    for place, where in ((1, "behind the first batch norm"), (-1, "before the output, with batch norm")):
        ratio = jackknife(normed, lambda kept, at=place: kept[:, 0, at].mean() / kept[:, 1, at].mean())
        figures.append(Measured(f"variance {where}, normal over uniform", *ratio, three, "limit", "bench"))
    return figures


def _saturation(shares: dict[str, Tensor], settings: Settings) -> list[Measured]:
    """Shares of large pre-activations, at the projection and where they meet the tanh."""
    figures, size = [], settings.latent_size
    for row, (name, (variance, fourth)) in enumerate(PRIORS.items()):
        expected = share_beyond(settings.threshold, projection_variance(size, variance), size, fourth)
        value = mean_and_error(shares["none"][:, row, 0])
        of = f"share of the projection's pre-activations beyond {settings.threshold:g}, {name}"
        figures.append(Measured(of, *value, expected, "claim", "bench", 0.02 * expected + 1e-5))
        for normalisation, share in shares.items():
            of = f"share of outputs at which tanh is saturated, normalisation {normalisation}, {name}"
            figures.append(Measured(of, *mean_and_error(share[:, row, 1]), None, "shown", "bench"))
    return figures


@torch.no_grad()
def in_situ(live: Live, settings: Settings, seed: int) -> tuple[list[Measured], dict[str, Any]]:
    """Both priors at the beginning of the training, and both ways between latents at its end."""
    generator = live.trainer(0).players.generator
    constrained = normalisations.load(live.recipe.generator.normalisation).ON_WEIGHTS
    norms = norm_modules(generator)[:1]
    layers = [*norms, activation_modules(generator, live.recipe.generator.activation)[0]]
    figures, squares = [], []
    for name, (variance, _) in PRIORS.items():
        noise = noise_at(seed, Purpose.LATENTS, 0)
        latents = priors.load(name).sample(1_024, generator.latent_size, noise).to(live.engine.device)
        maps = [each.double().square().flatten(1) for each in entering(generator, layers, latents)]
        # By part of the latents and units, since both are a sample.
        whole = maps[0][:, : maps[0].shape[1] // 16 * 16]
        parts = torch.stack([part.mean() for part in _diagonal(whole)])
        value = jackknife(parts, lambda kept: kept.mean().sqrt())
        expected = math.sqrt(projection_variance(generator.latent_size, variance))
        figure = f"standard deviation of the projection at the beginning, {name}"
        role = "shown" if constrained else "claim"
        figures.append(Measured(figure, *value, expected, role, "in situ"))
        squares.append(maps[-1].mean(1))
    name = "variance before the first activation, normal over uniform"
    role = "limit" if norms or constrained else "claim"
    three = PRIORS["normal"][0] / PRIORS["uniform"][0]
    # The same weights for both: what is left to chance is the latents.
    pairs = torch.stack(squares, 1).unflatten(0, (64, -1)).mean(1)
    ratio = jackknife(pairs, lambda kept: kept[:, 0].mean() / kept[:, 1].mean())
    figures.append(Measured(name, *ratio, three, role, "in situ"))
    more, data = _ways(live, seed)
    return [*figures, *more], data


def _diagonal(whole: Tensor) -> list[Tensor]:
    """Sixteen blocks of a table, no two of which share a row or a column."""
    return [part.chunk(16, 1)[number] for number, part in enumerate(whole.chunk(16))]


def _ways(live: Live, seed: int) -> tuple[list[Measured], dict[str, Any]]:
    """What the model makes of the middle of a way, against its ends."""
    generator = live.trainer().shipped()
    first = activation_modules(generator, live.recipe.generator.activation)[0]
    start, end = live.latents(2 * PAIRS, seed).chunk(2)
    figures, shares = [], [eighth / 8 for eighth in range(9)]
    curves: dict[str, Any] = {"share": shares, "pictures": {}}
    ends = [generator(latents).double() for latents in (start, end)]
    spread = _spread(torch.cat(ends)).mean()
    (seeds,) = entering(generator, [first], start)
    for name, way in (("lerp", lerp), ("slerp", slerp)):
        along = [generator(way(start, end, share)).double() for share in shares]
        curves[name] = [float(_spread(pictures).mean() / spread) for pictures in along]
        curves["pictures"][name] = row_of(torch.stack([pictures[0] for pictures in along]))
        value = mean_and_error(_spread(along[4]) / spread)
        figures.append(
            Measured(
                f"spread of pictures in the middle of the way, over that at its ends, {name}",
                *value,
                1.0,
                "limit",
                "in situ",
            )
        )
        (middle,) = entering(generator, [first], way(start, end, 0.5))
        ratio = float(middle.var(0).mean().sqrt() / seeds.var(0).mean().sqrt())
        figures.append(
            Measured(
                f"spread of the seed map in the middle of the way, over that at its ends, {name}",
                ratio,
                0.0,
                None,
                "shown",
                "in situ",
            )
        )
    return figures, {"ways": curves}


def _spread(pictures: Tensor) -> Tensor:
    """Of each picture, its mean squared distance from the mean picture."""
    return (pictures - pictures.mean(0)).square().flatten(1).mean(1)


def advice(figures: Sequence[Measured]) -> str:
    """What to do about it."""
    value = {figure.name: figure.value for figure in figures}
    behind = value["variance behind the first batch norm, normal over uniform"]
    name = "spread of pictures in the middle of the way, over that at its ends"
    lerped, slerped = (100 * value[f"{name}, {way}"] for way in ("lerp", "slerp"))
    return (
        "With a normalisation behind the projection the prior changes nothing of the scale: three times the "
        f"variance in front of the first batch norm is {behind:.3f} times behind it. Only a generator "
        "without normalisation feels it, and at the usual initial weights its outputs are so small that tanh "
        "is far from saturation with either prior. A normal vector is not heavy-tailed either: its norm lies "
        f"within a few per cent of sqrt(n). So walk between latents by slerp: half-way, lerp leaves "
        f"{lerped:.0f} % of the spread that the pictures have at the ends, slerp {slerped:.0f} %."
    )
