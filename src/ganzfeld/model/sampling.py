"""Images from a generator: one seed, one image, whatever else is made in the same call."""

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from ganzfeld.errors import TrainingFailed
from ganzfeld.free_memory import require_memory
from ganzfeld.latent import latents_of_seeds, num_of, seeds_of, truncate
from ganzfeld.networks import Generator
from ganzfeld.networks.arguments import Labels, labels_of
from ganzfeld.networks.blocks import require_labels

LARGEST_CHUNK = 64
PIXELS_OF_A_CHUNK = 2**18

_GOLDEN_RATIO = 0x9E3779B97F4A7C15  # less 1, in units of 2^-64


def images_of_seeds(
    generator: Generator,
    seeds: Sequence[int],
    *,
    prior: str = "normal",
    truncation: float = 1.0,
    labels: Labels | None = None,
) -> np.ndarray:
    """One image a seed: uint8, (len(seeds), height, width, channels).

    ``truncation`` pulls the latents towards the centre of the prior. ``labels`` are the classes wanted, one
    per seed or one for all; without them a generator with classes goes through these in turn: see
    ``labels_in_turn``. Raises ``UsageError`` for seeds, truncations or labels out of range.
    """
    seeds = seeds_of(seeds)
    require_room_for(generator, num_of(seeds))
    latents = latents_of_seeds(seeds, generator.latent_size, prior)
    if labels is None and generator.num_classes:
        labels = labels_in_turn(seeds, generator.num_classes)
    return images_of_latents(generator, truncate(latents, truncation), labels)


def labels_in_turn(seeds: Sequence[int], num_classes: int) -> list[int]:
    """The label of each seed when no class is asked for: the seed modulo the number of classes."""
    return [int(seed % num_classes) for seed in seeds]


def labels_as_in_data(seeds: Sequence[int], images_by_class: Sequence[int]) -> list[int] | None:
    """The label of each seed so that classes come as often as in the data; None without classes.

    A function of the seed alone. Of many seeds in a row, each class has its share to within a few images:
    multiples of the golden ratio fill the interval from 0 to 1 evenly.
    """
    if not images_by_class:
        return None
    ends = np.cumsum(images_by_class)
    places = [(seed * _GOLDEN_RATIO % 2**64) * int(ends[-1]) >> 64 for seed in seeds]
    return np.searchsorted(ends, places, side="right").tolist()


@torch.no_grad()
def images_of_latents(generator: Generator, latents: Tensor, labels: Labels | None = None) -> np.ndarray:
    """Latents (N, latent_size) to uint8 images (N, *size, channels), in eval mode.

    ``labels`` are for a generator with classes, and for no other: ``UsageError`` otherwise. Raises
    ``ResourceError`` where there is not the memory, and ``TrainingFailed`` where an image has numbers that
    are not finite: bytes would not show it.
    """
    require_room_for(generator, len(latents))
    weight = next(generator.parameters())
    assert not generator.training, "statistics must be fixed before images are made"
    if labels is not None:
        require_labels(generator.num_classes, labels)
        labels = labels_of(labels, len(latents), generator.class_names, generator.num_classes)
    images = []
    size = chunk_size(generator)
    for first in range(0, len(latents), size):
        chunk = _filled(latents[first : first + size], size).to(weight)
        told = None if labels is None else _filled(labels[first : first + size], size)
        made = generator(chunk, told)
        if not torch.isfinite(made).all():
            raise TrainingFailed(
                "the generator makes images that are not finite", "Take an earlier model of the run."
            )
        images.append(as_bytes(made)[: len(latents) - first])
    if not images:
        return np.empty((0, *generator.plan.size, generator.channels), np.uint8)
    return np.concatenate(images)


def require_room_for(generator: Generator, num: int) -> None:
    """Raise ``ResourceError`` if a processor has not the memory to make so many images, before taking any.

    Counted are the maps of one layer, what it is given and what it gives in three forms, in float32, and the
    images themselves, as they come, put together and on a sheet.
    """
    if next(generator.parameters()).device.type != "cpu":
        return
    plan = generator.plan
    sizes = [plan.seed, *(layer.large for layer in plan.layers)]
    maps = [
        channels * math.prod(size)
        for channels, size in zip([*plan.widths(generator.width), generator.channels], sizes, strict=True)
    ]
    at_once = 4 * chunk_size(generator) * max(before + 3 * after for before, after in pairwise(maps))
    width, height = plan.size[-1], plan.size[0]
    require_memory(
        at_once + 4 * num * maps[-1],
        f"{num:,} images of {width}x{height} px" if num != 1 else f"an image of {width}x{height} px",
        "Ask for fewer at once, or free some memory.",
    )


def _filled(part: Tensor, size: int) -> Tensor:
    """The last chunk is filled up with zeros."""
    filled = part.new_zeros(size, *part.shape[1:])
    filled[: len(part)] = part
    return filled


def chunk_size(generator: Generator) -> int:
    """How many images are always made at once, the last chunk filled up.

    The libraries below choose their algorithm, and with it the order of additions, by the shape of the batch:
    a constant shape makes an image the same to the last bit alone or among thousands.
    """
    return max(1, min(LARGEST_CHUNK, PIXELS_OF_A_CHUNK // math.prod(generator.plan.size)))


def as_bytes(images: Tensor) -> np.ndarray:
    """Images (N, C, *size) in [-1, 1] to uint8 (N, *size, C): -1 is 0, 1 is 255, values between are rounded
    to the nearest level, values outside are clipped.
    """
    levels = ((images.detach().float() + 1) * 127.5).round().clamp(0, 255)
    return levels.movedim(1, -1).to(torch.uint8).cpu().numpy()
