"""``batch-noise`` in situ: what the maps of a live generator are worth, and what their noise does."""

import math
from typing import Any

import torch
from torch import Tensor

from ganzfeld.lab.entering import live_maps
from ganzfeld.lab.estimate import jackknife, mean_and_error
from ganzfeld.lab.experiments.batch_noise import Settings, theory
from ganzfeld.lab.experiments.batch_noise.toy import BATCHES
from ganzfeld.lab.live import Live
from ganzfeld.lab.outcome import Measured, limit, shown
from ganzfeld.networks.normalisations import normalisations

POOL = 1_024
"""Latents whose maps in situ stand for all."""


def in_situ(live: Live, settings: Settings, seed: int) -> tuple[list[Measured], dict[str, Any]]:
    """Measure what the maps of the generator's layers are worth, and what their noise does to images."""
    figures: list[Measured] = []
    layers: dict[str, Any] = {"name": [], "positions": [], "worth": [], "erased": [], "errors": []}
    for number, maps in enumerate(live_maps(live, "generator", POOL, norms=True, together=POOL), 1):
        side = "x".join(map(str, maps.shape[2:]))
        positions = math.prod(maps.shape[2:])
        error = batch_error(maps, settings.batch, seed)
        num = settings.batch * positions
        of = f"layer {number}, {side}"
        value = (theory.worth(error[0]), 2 * error[1] / error[0] ** 2)
        figures.append(
            limit(
                f"worth-layer-{number}",
                f"numbers that {settings.batch} images are worth, {of}",
                *value,
                num,
                of="error",
                part="in situ",
            )
        )
        small = batch_error(maps, 2, seed)
        figures.append(
            limit(
                f"error-b2-layer-{number}",
                f"error of the variance at B = 2, {of}",
                *small,
                theory.unbiased_error(2),
                of="error",
                part="in situ",
            )
        )
        means = maps.double().flatten(2).mean(2)
        erased = means.var(0, correction=0) / maps.double().var((0, *range(2, maps.dim())), correction=0)
        figures.append(
            limit(
                f"erased-layer-{number}",
                f"share of the variance that instance norm would take away, {of}",
                *mean_and_error(erased),
                0.0,
                of="instance",
                part="in situ",
            )
        )
        layers["name"].append(of)
        layers["positions"].append(positions)
        layers["worth"].append(value[0] / settings.batch)
        layers["erased"].append(float(erased.mean()))
        layers["errors"].append([batch_error(maps, batch, seed)[0] for batch in BATCHES])
    changes = []
    if normalisations.load(live.recipe.generator.normalisation).ACROSS_IMAGES:
        for batch in BATCHES:
            change = changed_by_company(live, batch, seed)
            figures.append(
                shown(
                    f"company-b{batch}",
                    f"change of an image with its company, over the spread of images, B = {batch}",
                    *change,
                    part="in situ",
                )
            )
            changes.append(change)
    return figures, {"layers": layers, "changes": changes}


def batch_error(maps: Tensor, batch: int, seed: int, batches: int = 400) -> tuple[float, float]:
    """Return the relative squared error, mean over channels, of the biased variance of random batches of
    these maps (N, C, *size), against that of all of them; with its standard error over the batches.
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
    """Return the root mean square change of an image from one random batch to another, over the spread
    between images of different latents; with its standard error over the batches.
    """
    generator = live.trainer().gan.generator
    latents = live.latents(256, seed)
    random = torch.Generator().manual_seed(seed)
    generated = []
    for _ in range(2):
        order = torch.randperm(len(latents), generator=random)
        images = torch.cat([generator(latents[part]) for part in order.split(batch)])
        generated.append(images[order.argsort()])
    first, again = (images.double().flatten(1) for images in generated)
    spread = torch.cat((first, again)).var(0).mean()
    changes = ((first - again).square().mean(1) / 2 / spread).view(16, -1).mean(1)
    return jackknife(changes, lambda kept: kept.mean().sqrt())
