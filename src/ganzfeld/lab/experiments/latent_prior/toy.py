"""The bench of ``latent-prior``: the priors, and untrained generators with and without batch norm."""

import math
from typing import Any

import torch
from torch import Tensor

from ganzfeld.compute.seeding import Purpose, derived_seed, noise_at
from ganzfeld.geometry import plan
from ganzfeld.lab.entering import activation_modules, entering, norm_modules
from ganzfeld.lab.estimate import jackknife, mean_and_error
from ganzfeld.lab.experiments.latent_prior import Settings, theory
from ganzfeld.lab.outcome import Measured, claim, limit, shown
from ganzfeld.latent import lerp, priors, slerp
from ganzfeld.networks import Generator, initialise

SIZE_PX = 32
"""Size of the images of untrained generators."""

SATURATED = 2.0
"""Pre-activation beyond which the slope of tanh is below 0.071."""

MOST_NUMBERS = 20_000_000
"""The most numbers that are drawn at a time, 8 bytes each."""


def bench(settings: Settings, seed: int, thorough: bool) -> tuple[list[Measured], dict[str, Any]]:
    """Measure components, norms and interpolations of latents, and pre-activations of untrained generators
    with and without batch norm.
    """
    noise = torch.Generator().manual_seed(seed)
    figures, norms = _vectors(settings, noise)
    measured = {
        name: torch.stack(
            [_squares_and_shares(name, settings, seed, number) for number in range(settings.networks)]
        )
        for name in ("none", "batch")
    }
    squares = {name: table[:, :, :-2] for name, table in measured.items()}
    figures += _without_norm(squares["none"], settings)
    figures += _with_norm(squares["batch"], settings)
    figures += _saturation({name: table[:, :, -2:] for name, table in measured.items()}, settings)
    stds = {name: square.mean(0).sqrt().tolist() for name, square in squares.items()}
    return figures, {"stds": stds, "norms": norms}


def _vectors(settings: Settings, noise: torch.Generator) -> tuple[list[Measured], dict[str, Any]]:
    """Measure the components of the priors, their norms, and the norms half-way between two draws."""
    size, figures, norms = settings.latent_size, [], {}
    drawn = {}
    for name, (variance, _) in theory.PRIORS.items():
        latents = priors.load(name).sample(min(settings.draws, MOST_NUMBERS // size), size, noise).double()
        drawn[name] = latents
        value = mean_and_error(latents.square().mean(1))
        figures.append(
            claim(f"component-{name}", f"variance of a component, {name}", value, variance, of="variance")
        )
    normal = drawn["normal"]
    fourth = normal.pow(4).mean(1)
    figures.append(
        shown(
            "kurtosis",
            "excess kurtosis of normal components (above 0: heavy-tailed)",
            mean_and_error(fourth - 3),
            0.0,
        )
    )
    mean, std = theory.normal_norm(size)
    lengths = normal.norm(dim=1)
    figures.append(shown("norm-mean", "mean norm of normal latents", mean_and_error(lengths), mean))
    value = jackknife(lengths[: len(lengths) // 20 * 20].view(20, -1), lambda rest: rest.std())
    figures.append(shown("norm-std", "standard deviation of the norm of normal latents", value, std))
    half = len(normal) // 2
    for name, interpolate in (("lerp", lerp), ("slerp", slerp)):
        middle = interpolate(normal[:half], normal[half : 2 * half], 0.5).norm(dim=1)
        norms[name] = middle[:4_000].tolist()
        value = mean_and_error(middle)
        words, tolerance = f"norm half-way between two latents, {name}", 0.05 * mean
        if name == "lerp":
            figures.append(shown("middle-norm-lerp", words, value, mean, tolerance=tolerance))
        else:
            figures.append(shown(f"middle-norm-{name}", words, value, mean, tolerance=tolerance))
    figures.append(
        shown(
            "lerp-below-mean",
            "how far lerp's norm half-way is below the mean norm, in standard deviations of the norm",
            (mean - float(lerp(normal[:half], normal[half : 2 * half], 0.5).norm(dim=1).mean())) / std,
            (mean - mean / math.sqrt(2)) / std,
            tolerance=0.1,
        )
    )
    return figures, norms | {
        "normal": lengths[:4_000].tolist(),
        "uniform": drawn["uniform"].norm(dim=1)[:4_000].tolist(),
    }


def _generator(normalisation: str, settings: Settings, seed: int, number: int) -> Generator:
    """Build one untrained generator."""
    generator = Generator(
        plan(SIZE_PX), latent_size=settings.latent_size, width=settings.width, normalisation=normalisation
    )
    initialise(generator, derived_seed(seed, Purpose.GENERATOR_WEIGHTS, number))
    return generator


def _latents(prior: str, settings: Settings, seed: int, number: int) -> Tensor:
    """Draw the latents that one generator is measured on, (latents, latent_size)."""
    noise = noise_at(seed, Purpose.LATENTS, number)
    return priors.load(prior).sample(settings.latents, settings.latent_size, noise)


@torch.no_grad()
def _squares_and_shares(normalisation: str, settings: Settings, seed: int, number: int) -> Tensor:
    """Return measurements of one untrained generator on normal and on uniform latents, (2, layers + 2).

    They are the mean squares before the first norm (if there are norms), before every hidden activation and
    before the output, then the shares of the projection beyond the threshold and of saturated outputs.
    """
    generator = _generator(normalisation, settings, seed, number)
    layers = [*norm_modules(generator)[:1], *activation_modules(generator, "relu"), generator.output]
    rows = []
    for name in theory.PRIORS:
        maps = entering(generator, layers, _latents(name, settings, seed, number))
        squares = [entered.double().square().mean() for entered in maps]
        limits = ((maps[0], settings.threshold), (maps[-1], SATURATED))
        shares = [(entered.abs() > limit).double().mean() for entered, limit in limits]
        rows.append(torch.stack([*squares, *shares]))
    return torch.stack(rows)


def _without_norm(free: Tensor, settings: Settings) -> list[Measured]:
    """Measure pre-activations by layer without a norm, and the ratio of variances at the output."""
    figures = []
    ladder = plan(SIZE_PX)
    for row, (name, (variance, _)) in enumerate(theory.PRIORS.items()):
        by_layer = theory.layer_variances(
            ladder, ladder.widths(settings.width), settings.latent_size, variance
        )
        for number, expected in enumerate(by_layer):
            value = jackknife(free[:, row, number], lambda rest: rest.mean().sqrt())
            layer = "the projection" if number == 0 else f"layer {number}"
            words, std = (
                f"standard deviation of pre-activations of {layer}, no norm, {name}",
                math.sqrt(expected),
            )
            if number == 0:
                figures.append(claim(f"projection-{name}", words, value, std, of="preactivation"))
            else:
                figures.append(shown(f"layer-{number}-{name}", words, value, std))
    three = theory.ratio_of_variances()
    ratio = jackknife(free, lambda rest: rest[:, 0, -1].mean() / rest[:, 1, -1].mean())
    return [
        *figures,
        claim(
            "output-ratio",
            "variance before the output, normal over uniform, no norm",
            ratio,
            three,
            of="variety",
        ),
    ]


def _with_norm(normed: Tensor, settings: Settings) -> list[Measured]:
    """Measure the scale before and after the first batch norm, which removes it."""
    figures = []
    for row, (name, (variance, _)) in enumerate(theory.PRIORS.items()):
        expected = math.sqrt(theory.projection_variance(settings.latent_size, variance))
        before, after = (
            jackknife(normed[:, row, place], lambda rest: rest.mean().sqrt()) for place in (0, 1)
        )
        figures += [
            claim(
                f"before-norm-{name}",
                f"standard deviation before the first batch norm, {name}",
                before,
                expected,
                of="preactivation",
            ),
            shown(
                f"behind-norm-{name}",
                f"standard deviation after the first batch norm, {name}",
                after,
                1.0,
                tolerance=2e-3,
            ),
        ]
    three = theory.ratio_of_variances()
    for place, key, where, of in (
        (1, "behind-norm", "after the first batch norm", "preactivation"),
        (-1, "output-batch-norm", "before the output, with batch norm", "variety"),
    ):
        ratio = jackknife(normed, lambda rest, at=place: rest[:, 0, at].mean() / rest[:, 1, at].mean())
        figures.append(limit(f"{key}-ratio", f"variance {where}, normal over uniform", ratio, three, of=of))
    return figures


def _saturation(shares: dict[str, Tensor], settings: Settings) -> list[Measured]:
    """Measure the shares of large pre-activations, at the projection and before the tanh."""
    figures, size = [], settings.latent_size
    for row, (name, (variance, fourth)) in enumerate(theory.PRIORS.items()):
        expected = theory.share_beyond(
            settings.threshold, theory.projection_variance(size, variance), size, fourth
        )
        value = mean_and_error(shares["none"][:, row, 0])
        words = f"share of the projection's pre-activations beyond {settings.threshold:g}, {name}"
        figures.append(
            claim(f"beyond-{name}", words, value, expected, of="saturation", tolerance=0.02 * expected + 1e-5)
        )
        for normalisation, share in shares.items():
            words = f"share of outputs that saturate tanh, normalisation {normalisation}, {name}"
            figures.append(
                shown(f"saturated-{normalisation}-{name}", words, mean_and_error(share[:, row, 1]))
            )
    return figures
