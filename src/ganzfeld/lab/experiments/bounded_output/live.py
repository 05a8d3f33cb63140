"""``bounded-output`` in situ: pixels without a gradient, clipped pixels, and the images of tanh and clip."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from ganzfeld.lab.entering import PASS, entering
from ganzfeld.lab.estimate import jackknife, mean_and_error
from ganzfeld.lab.experiments.bounded_output import Settings, theory
from ganzfeld.lab.experiments.bounded_output.toy import slope
from ganzfeld.lab.live import Live
from ganzfeld.lab.looking import row_of
from ganzfeld.lab.outcome import Measured, limit, shown

LATENTS = 1_024


def in_situ(live: Live, settings: Settings, seed: int) -> tuple[list[Measured], dict[str, Any]]:
    """Count pixels without a gradient in each precision and clipped ones that stick; compare the images of
    both.
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
                f"pixels of tanh without a gradient, {name}",
                *value,
                0.0,
                of="tanh",
                part="in situ",
            )
        )
    held = before_output(trained["clip"], seed)
    value = _by_image(slope("clip", held) == 0)
    figures.append(shown("clip-dead", "pixels of clip without a gradient", *value, part="in situ"))
    figures.append(_freed(trained["clip"], seed))
    by_output = {name: generated(trained[name], seed) for name in ("tanh", "clip")}
    for name, images in by_output.items():
        others = (
            [] if not live.thorough else [generated(training, seed) for training in _again(trained[name])]
        )
        figures += _compared(name, [images, *others], live.real(LATENTS, seed))
    sizes = before.abs().flatten()
    data = {"sizes": sizes[torch.linspace(0, len(sizes) - 1, 20_000).long()].tolist()}
    return figures, data | {"pictures": {name: row_of(images[:6]) for name, images in by_output.items()}}


def _again(trained: Live) -> list[Live]:
    """Return the same training from two other seeds."""
    return [trained.variant(seed=trained.training.seed + more) for more in (1, 2)]


def _compared(name: str, trainings: Sequence[Tensor], real: Tensor) -> list[Measured]:
    """Compare colours and smoothness of images with those of real ones.

    Of several trainings the errors are over these; of one they are over its images, and say nothing of how
    another training would come out.
    """
    truth = histograms(real)
    if len(trainings) > 1:
        colours = [float(colour_distance(histograms(images), truth)) for images in trainings]
        grain = [float(roughness(images).mean() / roughness(real).mean()) for images in trainings]
        values = mean_and_error(torch.tensor(colours)), mean_and_error(torch.tensor(grain))
    else:
        (images,) = trainings
        colour = jackknife(histograms(images), lambda kept: colour_distance(kept, truth))
        values = colour, mean_and_error(roughness(images) / roughness(real).mean())
    num = len(trainings) if len(trainings) > 1 else None
    what = (
        ("colours", "distance of the colours from the real ones"),
        ("grain", "energy of single pixels, over that of the real"),
    )
    return [
        shown(f"{key}-{name}", f"{words}, {name}", *value, part="in situ", num_trainings=num)
        for (key, words), value in zip(what, values, strict=True)
    ]


@torch.no_grad()
def before_output(live: Live, seed: int, stage: int | None = None) -> Tensor:
    """Return what enters the output activation of the generator as it trains, (LATENTS, C, *size)."""
    generator = live.trainer(stage).gan.generator
    parts = live.latents(LATENTS, seed).split(PASS)
    return torch.cat([entering(generator, [generator.output], part)[0] for part in parts])


def _by_image(flags: Tensor) -> tuple[float, float]:
    """Return the mean share of flagged pixels and its standard error over images."""
    return mean_and_error(flags.flatten(1).double().mean(1))


def _freed(clip: Live, seed: int) -> Measured:
    """Measure how many of the pixels that clip holds at a quarter of the training it no longer holds at its
    end.
    """
    earlier, later = clip.stages[-2], clip.stages[-1]
    held, still = (before_output(clip, seed, stage).abs() >= 1 for stage in (earlier, later))
    counts = torch.stack((held.flatten(1).sum(1), (held & ~still).flatten(1).sum(1)), 1)
    value = jackknife(
        counts.unflatten(0, (16, -1)).sum(1), lambda kept: kept[:, 1].sum() / kept[:, 0].sum().clamp_min(1)
    )
    name = f"pixels clipped after {earlier} images that are free after {later}"
    return limit("clip-freed", name, *value, 0.0, of="clip", part="in situ")


@torch.no_grad()
def generated(live: Live, seed: int) -> Tensor:
    """Generate images with the shipped model, (LATENTS, C, *size) in [-1, 1]."""
    model = live.trainer().shipped()
    return torch.cat([model(part) for part in live.latents(LATENTS, seed).split(PASS)]).clamp(-1, 1)


def histograms(images: Tensor) -> Tensor:
    """Count how often each of 256 values occurs in each channel, (16, C, 256): in 16 parts of the images."""
    parts = images.transpose(0, 1).chunk(16, 1)
    return torch.stack([torch.stack([torch.histc(values, 256, -1, 1) for values in part]) for part in parts])


def colour_distance(counts: Tensor, others: Tensor) -> Tensor:
    """Return the Wasserstein-1 distance between the values of a channel, mean over the channels, of two
    ``histograms``.

    Black is 2 away from white.
    """
    shares = [
        histogram.double().sum(0) / histogram.double().sum((0, 2))[:, None] for histogram in (counts, others)
    ]
    return (shares[0] - shares[1]).cumsum(1).abs().sum(1).mean() * 2 / 256


def roughness(images: Tensor) -> Tensor:
    """Return the mean square, by image, of what differs from the mean of the four neighbours."""
    middle = images[..., 1:-1, 1:-1]
    beside = images[..., 1:-1, 2:] + images[..., 1:-1, :-2]
    around = images[..., 2:, 1:-1] + images[..., :-2, 1:-1] + beside
    return (middle - around / 4).square().flatten(1).mean(1)
