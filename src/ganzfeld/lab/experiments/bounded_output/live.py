"""``bounded-output`` in situ: pixels without a gradient, clipped pixels, images of tanh and of clip."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from ganzfeld.lab.entering import PASS, entering
from ganzfeld.lab.estimate import Estimate, jackknife, mean_and_error
from ganzfeld.lab.experiments.bounded_output import Settings, theory
from ganzfeld.lab.experiments.bounded_output.toy import slope
from ganzfeld.lab.language import say
from ganzfeld.lab.live import Live
from ganzfeld.lab.looking import row_of
from ganzfeld.lab.outcome import Measured, claim, limit, shown

LATENTS = 1_024
"""Number of latents from which images are generated."""


def variants(settings: Settings) -> list[dict[str, Any]]:
    """Return the outputs that are compared."""
    return [{"generator.output": name} for name in ("tanh", "clip")]


def in_situ(live: Live, settings: Settings, seed: int) -> tuple[list[Measured], dict[str, Any]]:
    """Count pixels without a gradient in each precision, and clipped pixels that stick; compare the images of
    tanh and clip.
    """
    figures = []
    trained = {
        name: live.variant({"generator.output": name})
        for name in ("tanh", "clip")
        if name != live.recipe.generator.output
    }
    trained[live.recipe.generator.output] = live
    before = before_output(trained["tanh"], seed)
    for name, precision in theory.PRECISIONS.items():
        value = _by_image(slope("tanh", before.to(precision)) == 0)
        figures.append(
            limit(
                f"tanh-dead-{name}",
                say("pixel values without a gradient, tanh in {name}", name=name),
                value,
                0.0,
                of="tanh",
                part="in situ",
            )
        )
    held = before_output(trained["clip"], seed)
    value = _by_image(slope("clip", held) == 0)
    figures.append(shown("clip-dead", say("pixel values without a gradient, clip"), value, part="in situ"))
    figures.append(_freed(trained["clip"], seed))
    by_output = {name: generated(trained[name], seed) for name in ("tanh", "clip")}
    figures += _compared(by_output, live.real(LATENTS, seed))
    sizes = before.abs().flatten()
    data = {"sizes": sizes[torch.linspace(0, len(sizes) - 1, 20_000).long()].tolist()}
    return figures, data | {"images": {name: row_of(images[:6]) for name, images in by_output.items()}}


def _compared(by_output: Mapping[str, Tensor], real: Tensor) -> list[Measured]:
    """Compare the colours and the smoothness of the images of tanh and of clip with those of real images."""
    truth, figures = histograms(real), []
    measures = {
        "colours": (
            say("distance of the colours from those of real images"),
            lambda images: float(colour_distance(histograms(images), truth)),
        ),
        "grain": (
            say("distance of the energy of single pixels from that of real images, log10"),
            lambda images: abs(float((roughness(images).mean() / roughness(real).mean()).log10())),
        ),
    }
    for key, (words, measure) in measures.items():
        values = {name: measure(images) for name, images in by_output.items()}
        figures += [
            shown(f"{key}-{name}", say("{words}, {name}", words=words, name=name), value, part="in situ")
            for name, value in values.items()
        ]
        figures.append(
            claim(
                f"{key}-difference",
                say("{words}, tanh minus clip", words=words),
                values["tanh"] - values["clip"],
                0.0,
                of="colour",
                relation="<",
                part="in situ",
            )
        )
    return figures


@torch.no_grad()
def before_output(live: Live, seed: int, stage: int | None = None) -> Tensor:
    """Return what enters the output activation of the generator as it trains, (LATENTS, C, *size)."""
    generator = live.trainer(stage).gan.generator
    parts = live.latents(LATENTS, seed).split(PASS)
    return torch.cat([entering(generator, [generator.output], part)[0] for part in parts])


def _by_image(flags: Tensor) -> Estimate:
    """Return the mean share of flagged pixels and its standard error over images."""
    return mean_and_error(flags.flatten(1).double().mean(1))


def _freed(clip: Live, seed: int) -> Measured:
    """Measure the share of the pixels clipped at a quarter of the run that are free at its end."""
    earlier, later = clip.stages[-2], clip.stages[-1]
    held, still = (before_output(clip, seed, stage).abs() >= 1 for stage in (earlier, later))
    counts = torch.stack((held.flatten(1).sum(1), (held & ~still).flatten(1).sum(1)), 1)
    value = jackknife(
        counts.unflatten(0, (16, -1)).sum(1), lambda rest: rest[:, 1].sum() / rest[:, 0].sum().clamp_min(1)
    )
    name = say(
        "share of the pixels clipped after {earlier} images that are free after {later}",
        earlier=earlier,
        later=later,
    )
    return claim("clip-freed", name, value, 0.0, of="stuck", part="in situ")


@torch.no_grad()
def generated(live: Live, seed: int) -> Tensor:
    """Generate images with the shipped model, (LATENTS, C, *size) in [-1, 1]."""
    model = live.trainer().shipped()
    return torch.cat([model(part) for part in live.latents(LATENTS, seed).split(PASS)]).clamp(-1, 1)


def histograms(images: Tensor) -> Tensor:
    """Count each of 256 values in each channel, (16, C, 256), for 16 parts of the images."""
    parts = images.transpose(0, 1).chunk(16, 1)
    return torch.stack([torch.stack([torch.histc(values, 256, -1, 1) for values in part]) for part in parts])


def colour_distance(counts: Tensor, others: Tensor) -> Tensor:
    """Return the Wasserstein-1 distance between two ``histograms``, mean over the channels.

    Black is 2 away from white.
    """
    shares = [
        histogram.double().sum(0) / histogram.double().sum((0, 2))[:, None] for histogram in (counts, others)
    ]
    return (shares[0] - shares[1]).cumsum(1).abs().sum(1).mean() * 2 / 256


def roughness(images: Tensor) -> Tensor:
    """Return the mean squared difference of pixels from the mean of their four neighbours, by image."""
    middle = images[..., 1:-1, 1:-1]
    beside = images[..., 1:-1, 2:] + images[..., 1:-1, :-2]
    around = images[..., 2:, 1:-1] + images[..., :-2, 1:-1] + beside
    return (middle - around / 4).square().flatten(1).mean(1)
