"""``batch-noise`` in situ: the effective size of a live generator's maps, and what their noise does."""

import math
from typing import Any

import torch
from torch import Tensor

from ganzfeld.lab.entering import live_maps
from ganzfeld.lab.estimate import Estimate, jackknife, mean_and_error
from ganzfeld.lab.experiments.batch_noise import Settings, theory
from ganzfeld.lab.experiments.batch_noise.toy import BATCHES
from ganzfeld.lab.language import say
from ganzfeld.lab.live import Live
from ganzfeld.lab.outcome import Measured, limit, shown
from ganzfeld.networks.normalisations import normalisations

POOL = 1_024
"""Number of latents whose maps stand for those of all latents."""


def in_situ(live: Live, settings: Settings, seed: int) -> tuple[list[Measured], dict[str, Any]]:
    """Measure how many independent numbers the generator's maps are worth, and what their noise does."""
    figures: list[Measured] = []
    layers: dict[str, Any] = {"name": [], "positions": [], "worth": [], "erased": [], "errors": []}
    for number, maps in enumerate(live_maps(live, "generator", POOL, norms=True, together=POOL), 1):
        measured, row = _of_layer(number, maps, settings, seed)
        figures += measured
        for column, value in row.items():
            layers[column].append(value)
    changes = []
    if normalisations.load(live.recipe.generator.normalisation).ACROSS_IMAGES:
        for batch in BATCHES:
            change = change_with_batch(live, batch, seed)
            name = say(
                "change of an image with the rest of its batch, over the spread of images, B = {batch}",
                batch=batch,
            )
            figures.append(shown(f"company-b{batch}", name, change, part="in situ"))
            changes.append(change)
    return figures, {"layers": layers, "changes": changes}


def _of_layer(
    number: int, maps: Tensor, settings: Settings, seed: int
) -> tuple[list[Measured], dict[str, Any]]:
    """Measure the effective size of one layer's maps, and what instance norm would remove from them."""
    positions = math.prod(maps.shape[2:])
    error = batch_error(maps, settings.batch, seed)
    worth = Estimate(theory.worth(error.value), theory.worth_error(error.value, error.error), error.dof)
    num = settings.batch * positions
    tails = theory.worth(theory.heavy_tailed_error(num, kurtosis_of(maps)))
    means = maps.double().flatten(2).mean(2)
    erased = means.var(0, correction=0) / maps.double().var((0, *range(2, maps.dim())), correction=0)
    layer = say("layer {number}, {size}", number=number, size="x".join(map(str, maps.shape[2:])))
    figures = [
        limit(
            f"worth-layer-{number}",
            say(
                "independent numbers that {batch} images are worth, {layer}",
                batch=settings.batch,
                layer=layer,
            ),
            worth,
            num,
            of="normalised",
            part="in situ",
        ),
        shown(
            f"tails-layer-{number}",
            say(
                "independent numbers that as many uncorrelated ones with these tails would be worth, {layer}",
                layer=layer,
            ),
            tails,
            part="in situ",
        ),
        limit(
            f"error-b2-layer-{number}",
            say("error of the variance at B = 2, {layer}", layer=layer),
            batch_error(maps, 2, seed),
            theory.unbiased_error(2),
            of="normalised",
            part="in situ",
        ),
        limit(
            f"erased-layer-{number}",
            say("share of the variance that instance norm would remove, {layer}", layer=layer),
            mean_and_error(erased),
            0.0,
            of="instance",
            part="in situ",
        ),
    ]
    return figures, {
        "name": layer,
        "positions": positions,
        "worth": worth.value / settings.batch,
        "erased": float(erased.mean()),
        "errors": [batch_error(maps, batch, seed).value for batch in BATCHES],
    }


def kurtosis_of(maps: Tensor) -> float:
    """Return the excess kurtosis of the values of maps (N, C, *size) around the mean of their channel; mean
    over the channels that vary.
    """
    values = maps.double().transpose(0, 1).flatten(1)
    values = values - values.mean(1, keepdim=True)
    variance = values.square().mean(1)
    varies = variance > 1e-12
    fourth = values[varies].pow(4).mean(1) / variance[varies].square()
    return float(fourth.mean()) - 3


def batch_error(maps: Tensor, batch: int, seed: int, batches: int = 400) -> Estimate:
    """Return the relative squared error of the biased variance of random batches of these maps (N, C, *size),
    against the variance of all maps; mean over channels, with its standard error over the batches.
    """
    flat = maps.double().flatten(2)
    mean, square = flat.mean(2), flat.square().mean(2)
    variance = square.mean(0) - mean.mean(0).square()
    random = torch.Generator().manual_seed(seed)
    chosen = torch.randint(len(maps), (batches, batch), generator=random)
    of_batch = square[chosen].mean(1) - mean[chosen].mean(1).square()
    varies = variance > 1e-12
    return mean_and_error((of_batch[:, varies] / variance[varies] - 1).square().mean(1))


@torch.no_grad()
def change_with_batch(live: Live, batch: int, seed: int) -> Estimate:
    """Return the root mean square change of an image from one random batch to another, over the spread
    between images of different latents, with its standard error over the batches.
    """
    generator = live.trainer().gan.generator
    latents = live.latents(256, seed)
    random = torch.Generator().manual_seed(seed)
    generated = []
    for _ in range(2):
        order = torch.randperm(len(latents), generator=random)
        images = torch.cat([generator(latents[part]) for part in order.split(batch)])
        generated.append(images[order.argsort()])
    first, second = (images.double().flatten(1) for images in generated)
    spread = torch.cat((first, second)).var(0).mean()
    changes = ((first - second).square().mean(1) / 2 / spread).view(16, -1).mean(1)
    return jackknife(changes, lambda rest: rest.mean().sqrt())
