"""``latent-prior`` in situ: both priors at the beginning of a run, both interpolations at its end."""

import math
from typing import Any

import torch
from torch import Tensor

from ganzfeld.compute.seeding import Purpose, noise_at
from ganzfeld.lab.entering import activation_modules, entering, norm_modules
from ganzfeld.lab.estimate import jackknife, mean_and_error
from ganzfeld.lab.experiments.latent_prior import Settings, theory
from ganzfeld.lab.language import say
from ganzfeld.lab.live import Live
from ganzfeld.lab.looking import row_of
from ganzfeld.lab.outcome import Measured, claim, limit, shown
from ganzfeld.latent import lerp, priors, slerp
from ganzfeld.networks.normalisations import normalisations

PAIRS = 256
"""Number of pairs of latents to interpolate between."""


@torch.no_grad()
def in_situ(live: Live, settings: Settings, seed: int) -> tuple[list[Measured], dict[str, Any]]:
    """Measure both priors at the beginning of the run, and both interpolations of latents at its end."""
    generator = live.trainer(0).gan.generator
    constrained = normalisations.load(live.recipe.generator.normalisation).ON_WEIGHTS
    norms = norm_modules(generator)[:1]
    layers = [*norms, activation_modules(generator, live.recipe.generator.activation)[0]]
    figures, squares = [], []
    for name, (variance, _) in theory.PRIORS.items():
        noise = noise_at(seed, Purpose.LATENTS, 0)
        latents = priors.load(name).sample(1_024, generator.latent_size, noise).to(live.engine.device)
        maps = [entered.double().square().flatten(1) for entered in entering(generator, layers, latents)]
        # Each part has its own latents and its own units, since both are samples.
        whole = maps[0][:, : maps[0].shape[1] // 16 * 16]
        parts = torch.stack([part.mean() for part in _diagonal_blocks(whole)])
        value = jackknife(parts, lambda rest: rest.mean().sqrt())
        expected = math.sqrt(theory.projection_variance(generator.latent_size, variance))
        key, words = (
            f"live-projection-{name}",
            say("standard deviation of the projection at the beginning, {name}", name=say(name)),
        )
        if constrained:
            figures.append(shown(key, words, value, expected, part="in situ"))
        else:
            figures.append(claim(key, words, value, expected, of="preactivation", part="in situ"))
        squares.append(maps[-1].mean(1))
    name = say("variance before the first activation, normal over uniform")
    of_claim = limit if norms or constrained else claim
    three = theory.ratio_of_variances()
    # Both priors use the same weights, so only the latents are random.
    pairs = torch.stack(squares, 1).unflatten(0, (64, -1)).mean(1)
    ratio = jackknife(pairs, lambda rest: rest[:, 0].mean() / rest[:, 1].mean())
    figures.append(of_claim("live-ratio", name, ratio, three, of="preactivation", part="in situ"))
    more, data = _interpolations(live, seed)
    return [*figures, *more], data


def _diagonal_blocks(whole: Tensor) -> list[Tensor]:
    """Return sixteen blocks of a table, no two of which share a row or a column."""
    return [part.chunk(16, 1)[number] for number, part in enumerate(whole.chunk(16))]


def _interpolations(live: Live, seed: int) -> tuple[list[Measured], dict[str, Any]]:
    """Compare the images of the model half-way between two latents with those at the ends."""
    generator = live.trainer().shipped()
    first = activation_modules(generator, live.recipe.generator.activation)[0]
    start, end = live.latents(2 * PAIRS, seed).chunk(2)
    figures, shares = [], [eighth / 8 for eighth in range(9)]
    curves: dict[str, Any] = {"share": shares, "images": {}}
    ends = [generator(latents).double() for latents in (start, end)]
    spread = _spread(torch.cat(ends)).mean()
    (base_maps,) = entering(generator, [first], start)
    for name, interpolate in (("lerp", lerp), ("slerp", slerp)):
        along = [generator(interpolate(start, end, share)).double() for share in shares]
        curves[name] = [float(_spread(images).mean() / spread) for images in along]
        curves["images"][name] = row_of(torch.stack([images[0] for images in along]))
        value = mean_and_error(_spread(along[4]) / spread)
        figures.append(
            shown(
                f"middle-spread-{name}",
                say("spread of images half-way, over that at the ends, {name}", name=say(name)),
                value,
                1.0,
                part="in situ",
            )
        )
        (middle,) = entering(generator, [first], interpolate(start, end, 0.5))
        ratio = float(middle.var(0).mean().sqrt() / base_maps.var(0).mean().sqrt())
        figures.append(
            shown(
                f"middle-base-map-{name}",
                say("spread of the base map half-way, over that at the ends, {name}", name=say(name)),
                ratio,
                part="in situ",
            )
        )
    return figures, {"paths": curves}


def _spread(images: Tensor) -> Tensor:
    """Return the mean squared distance of each image from the mean image."""
    return (images - images.mean(0)).square().flatten(1).mean(1)
