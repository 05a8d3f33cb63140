"""The bench of ``latent-prior``: the priors, and untrained generators with and without batch norm."""

import math
from typing import Any

import torch
from torch import Tensor

from ganzfeld.geometry import plan
from ganzfeld.lab.entering import activation_modules, entering, norm_modules
from ganzfeld.lab.estimate import Estimate, jackknife, mean_and_error
from ganzfeld.lab.experiments.latent_prior import Settings, gains, theory
from ganzfeld.lab.experiments.latent_prior.generators import SIZE_PX, latents_of, untrained
from ganzfeld.lab.language import say
from ganzfeld.lab.outcome import Measured, claim, limit, shown
from ganzfeld.latent import lerp, priors, slerp

MANY_COMPONENTS = 50
"""Number of components from which the squared norm of a uniform latent is nearly gamma-distributed."""

HEAVY = 0.1
"""Excess kurtosis from which a distribution counts as heavy-tailed; a uniform one has -1.2."""

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
    squares = {name: table[:, :, :-1] for name, table in measured.items()}
    figures += _without_norm(squares["none"], settings)
    figures += _with_norm(squares["batch"], settings)
    figures += _beyond(measured["none"][:, :, -1], settings)
    swept, curves = gains.sweep(settings, seed)
    stds = {name: square.mean(0).sqrt().tolist() for name, square in squares.items()}
    return [*figures, *swept], {"stds": stds, "norms": norms, "gains": curves}


def _vectors(settings: Settings, noise: torch.Generator) -> tuple[list[Measured], dict[str, Any]]:
    """Measure the components of the priors, their norms, and the norms half-way between two draws."""
    size, figures, norms = settings.latent_size, [], {}
    drawn = {}
    for name, (variance, _) in theory.PRIORS.items():
        latents = priors.load(name).sample(min(settings.draws, MOST_NUMBERS // size), size, noise).double()
        drawn[name] = latents
        value = mean_and_error(latents.square().mean(1))
        figures.append(
            claim(
                f"component-{name}",
                say("variance of a component, {name}", name=say(name)),
                value,
                variance,
                of="variance",
            )
        )
    normal = drawn["normal"]
    fourth = normal.pow(4).mean(1)
    figures.append(
        claim(
            "kurtosis",
            say("excess kurtosis of normal components, clearly above 0 for a heavy-tailed distribution"),
            mean_and_error(fourth - 3),
            HEAVY,
            relation=">",
            of="tails",
        )
    )
    mean, std = theory.normal_norm(size)
    lengths = normal.norm(dim=1)
    figures.append(shown("norm-mean", say("mean norm of normal latents"), mean_and_error(lengths), mean))
    value = jackknife(lengths[: len(lengths) // 20 * 20].view(20, -1), lambda rest: rest.std())
    figures.append(shown("norm-std", say("standard deviation of the norm of normal latents"), value, std))
    half = len(normal) // 2
    for name, interpolate in (("lerp", lerp), ("slerp", slerp)):
        middle = interpolate(normal[:half], normal[half : 2 * half], 0.5).norm(dim=1)
        norms[name] = middle[:4_000].tolist()
        value = mean_and_error(middle)
        words, tolerance = say("norm half-way between two latents, {name}", name=say(name)), 0.05 * mean
        if name == "lerp":
            figures.append(shown("middle-norm-lerp", words, value, mean, tolerance=tolerance))
        else:
            figures.append(shown(f"middle-norm-{name}", words, value, mean, tolerance=tolerance))
    figures.append(
        shown(
            "lerp-below-mean",
            say("how far lerp's norm half-way is below the mean norm, in standard deviations of the norm"),
            (mean - float(lerp(normal[:half], normal[half : 2 * half], 0.5).norm(dim=1).mean())) / std,
            (mean - mean / math.sqrt(2)) / std,
            tolerance=0.1,
        )
    )
    return figures, norms | {
        "normal": lengths[:4_000].tolist(),
        "uniform": drawn["uniform"].norm(dim=1)[:4_000].tolist(),
    }


@torch.no_grad()
def _squares_and_shares(normalisation: str, settings: Settings, seed: int, number: int) -> Tensor:
    """Return measurements of one untrained generator on normal and on uniform latents, (2, layers + 1).

    They are the mean squares before the first norm (if there are norms), before every hidden activation and
    before the output, then the share of the projection beyond the threshold.
    """
    generator = untrained(normalisation, settings, seed, number)
    layers = [*norm_modules(generator)[:1], *activation_modules(generator, "relu"), generator.output]
    rows = []
    for name in theory.PRIORS:
        maps = entering(generator, layers, latents_of(name, settings, seed, number))
        squares = [entered.double().square().mean() for entered in maps]
        beyond = (maps[0].abs() > settings.threshold).double().mean()
        rows.append(torch.stack([*squares, beyond]))
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
            layer = say("the projection") if number == 0 else say("layer {number}", number=number)
            words, std = (
                say(
                    "standard deviation of pre-activations of {layer}, no norm, {name}",
                    layer=layer,
                    name=say(name),
                ),
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
            say("variance before the output, normal over uniform, no norm"),
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
                say("standard deviation before the first batch norm, {name}", name=say(name)),
                before,
                expected,
                of="preactivation",
            ),
            shown(
                f"behind-norm-{name}",
                say("standard deviation after the first batch norm, {name}", name=say(name)),
                after,
                1.0,
                tolerance=2e-3,
            ),
        ]
    three = theory.ratio_of_variances()
    for place, key, where, of in (
        (1, "behind-norm", say("after the first batch norm"), "preactivation"),
        (-1, "output-batch-norm", say("before the output, with batch norm"), "variety"),
    ):
        ratio = jackknife(normed, lambda rest, at=place: rest[:, 0, at].mean() / rest[:, 1, at].mean())
        figures.append(
            limit(
                f"{key}-ratio",
                say("variance {where}, normal over uniform", where=where),
                ratio,
                three,
                of=of,
            )
        )
    return figures


def _beyond(shares: Tensor, settings: Settings) -> list[Measured]:
    """Measure the shares of large pre-activations at the projection, from shares (networks, priors).

    The formula is exact for normal latents, and near enough for uniform ones that have many components.
    """
    figures, size = [], settings.latent_size
    for row, (name, (variance, fourth)) in enumerate(theory.PRIORS.items()):
        whole = theory.projection_variance(size, variance)
        expected = theory.share_beyond(settings.threshold, whole, size, fourth)
        value = mean_and_error(shares[:, row])
        if value.error == 0:  # as where none is beyond: then only a share this small would be surprising
            least = math.sqrt(expected / (settings.networks * settings.latents))
            value = Estimate(value.value, least, value.dof)
        key = f"beyond-{name}"
        words = say(
            "share of the projection's pre-activations beyond {threshold:g}, {name}",
            threshold=settings.threshold,
            name=say(name),
        )
        tolerance = 0.02 * expected + 1e-5
        if name == "normal" or size >= MANY_COMPONENTS:
            figures.append(claim(key, words, value, expected, of="saturation", tolerance=tolerance))
        else:
            figures.append(shown(key, words, value, expected, tolerance=tolerance))
    return figures
