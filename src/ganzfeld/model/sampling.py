"""Images from a generator: a seed gives the same image whatever else is made in the same call."""

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from ganzfeld.catalogue import did_you_mean
from ganzfeld.data.scales import AS_BYTES, StoredAs
from ganzfeld.errors import TrainingFailed, UsageError
from ganzfeld.free_memory import require_memory
from ganzfeld.latent import latents_of_seeds, num_of, seeds_of, truncate
from ganzfeld.networks import Generator
from ganzfeld.networks.arguments import Labels, labels_of
from ganzfeld.networks.blocks import require_labels
from ganzfeld.system import ran_out_of_memory

LARGEST_CHUNK = {"cpu": 64, "mps": 64, "cuda": 1024}
"""The most images made at once, by device. A GPU computes 64 as fast as 1,024."""
PIXELS_OF_AN_IMAGE = 2**12
"""The most pixels of an image of a full chunk; a chunk of larger images holds fewer."""

SAMPLING_PRECISIONS = ("float32", "bfloat16")

_GOLDEN_RATIO = 0x9E3779B97F4A7C15  # its fractional part, in units of 2^-64


def images_of_seeds(
    generator: Generator,
    seeds: Sequence[int],
    *,
    prior: str = "normal",
    truncation: float = 1.0,
    labels: Labels | None = None,
    precision: str = "float32",
    stored: StoredAs = AS_BYTES,
) -> np.ndarray:
    """Make one image per seed: uint8, (len(seeds), height, width, channels).

    With ``stored``, another kind of data, in the type and the units of its data.

    ``truncation`` pulls the latents towards the centre of the prior. ``labels`` are the classes, one per seed
    or one for all; without them a generator with classes takes these in turn (see ``labels_in_turn``). For
    ``precision`` see ``images_of_latents``. Raises ``UsageError`` for seeds, a truncation or labels out of
    range, and for an unknown precision.
    """
    seeds = seeds_of(seeds)
    require_room_for(generator, num_of(seeds))
    latents = latents_of_seeds(seeds, generator.latent_size, prior)
    if labels is None and generator.num_classes:
        labels = labels_in_turn(seeds, generator.num_classes)
    return images_of_latents(generator, truncate(latents, truncation), labels, precision, stored)


def labels_in_turn(seeds: Sequence[int], num_classes: int) -> list[int]:
    """Return the default label of each seed: the seed modulo the number of classes."""
    return [int(seed % num_classes) for seed in seeds]


def labels_as_in_data(seeds: Sequence[int], images_by_class: Sequence[int]) -> list[int] | None:
    """Return a label for each seed so that classes are as frequent as in the data; None without classes.

    A label depends on its seed alone. Among many consecutive seeds, each class has its share to within a few
    images, since multiples of the golden ratio fill the interval from 0 to 1 evenly.
    """
    if not images_by_class:
        return None
    ends = np.cumsum(images_by_class)
    positions = [(seed * _GOLDEN_RATIO % 2**64) * int(ends[-1]) >> 64 for seed in seeds]
    return np.searchsorted(ends, positions, side="right").tolist()


@torch.no_grad()
def images_of_latents(
    generator: Generator,
    latents: Tensor,
    labels: Labels | None = None,
    precision: str = "float32",
    stored: StoredAs = AS_BYTES,
) -> np.ndarray:
    """Make uint8 images (N, *size, channels) from latents (N, latent_size), in eval mode.

    In bfloat16 convolutions are about twice as fast on a chip that has it, and an image differs from that of
    float32 by a few levels (docs/performance.md); another chip may round it differently.

    Raises ``UsageError`` unless ``labels`` are given exactly if the generator has classes, and for an unknown
    precision; ``ResourceError`` if memory does not suffice; ``TrainingFailed`` if an image has a value that
    is not finite, which its bytes would not show.
    """
    require_sampling_precision(precision)
    require_room_for(generator, len(latents))
    weight = next(generator.parameters())
    assert not generator.training, "statistics must be fixed before images are made"
    if labels is not None:
        require_labels(generator.num_classes, labels)
        labels = labels_of(labels, len(latents), generator.class_names, generator.num_classes)
    images = [as_stored(torch.empty(0, generator.channels, *generator.plan.size), stored)]
    first, size = 0, chunk_size(generator)
    while first < len(latents):
        chunk = _padded(latents[first : first + size], size).to(weight)
        chunk_labels = None if labels is None else _padded(labels[first : first + size], size)
        try:
            outputs = _outputs(generator, chunk, chunk_labels, precision)
        except RuntimeError as error:
            # A run may nearly fill a GPU. Images made in smaller chunks may differ by a level.
            if size == 1 or not ran_out_of_memory(error):
                raise
            size //= 2
            continue
        images.append(as_stored(outputs, stored)[: len(latents) - first])
        first += size
    return np.concatenate(images)


def _outputs(generator: Generator, latents: Tensor, labels: Tensor | None, precision: str) -> Tensor:
    """Compute the images of one chunk, all of whose values are finite."""
    in_bfloat16 = precision == "bfloat16"
    with torch.autocast(latents.device.type, torch.bfloat16, enabled=in_bfloat16, cache_enabled=False):
        outputs = generator(latents, labels)
    if not torch.isfinite(outputs).all():
        raise TrainingFailed(
            "the generator makes images that contain NaN or infinity", "Use an earlier model of the run."
        )
    return outputs


def require_sampling_precision(precision: str) -> None:
    """Raise ``UsageError`` unless images can be made in this precision."""
    if precision not in SAMPLING_PRECISIONS:
        raise UsageError(
            f"images are made in float32 or bfloat16, not in {precision!r}",
            did_you_mean(str(precision), SAMPLING_PRECISIONS),
        )


def require_room_for(generator: Generator, num: int) -> None:
    """Raise ``ResourceError`` if ``num`` images do not fit into the CPU's memory, before taking any of it.

    Counts the input of the largest layer and three copies of its output, in float32, and four bytes per value
    of the images for their chunks, the joined array and a grid.
    """
    if next(generator.parameters()).device.type != "cpu":
        return
    plan = generator.plan
    sizes = [plan.seed, *(layer.large for layer in plan.layers)]
    maps = [
        channels * math.prod(size)
        for channels, size in zip([*plan.widths(generator.width), generator.channels], sizes, strict=True)
    ]
    layer_bytes = 4 * chunk_size(generator) * max(before + 3 * after for before, after in pairwise(maps))
    width, height = plan.size[-1], plan.size[0]
    require_memory(
        layer_bytes + 4 * num * maps[-1],
        f"{num:,} images of {width}x{height} px" if num != 1 else f"an image of {width}x{height} px",
        "Make fewer images at once, or free some memory.",
    )


def _padded(part: Tensor, size: int) -> Tensor:
    """Pad a chunk with zeros to ``size`` rows."""
    chunk = part.new_zeros(size, *part.shape[1:])
    chunk[: len(part)] = part
    return chunk


def chunk_size(generator: Generator) -> int:
    """Return the number of images that are always made at once; the last chunk is padded to it.

    Libraries choose their algorithm, and so the order of additions, by the shape of the batch. With a fixed
    shape an image is the same to the last bit, alone or among thousands.
    """
    largest = LARGEST_CHUNK.get(next(generator.parameters()).device.type, LARGEST_CHUNK["cpu"])
    return max(1, min(largest, largest * PIXELS_OF_AN_IMAGE // math.prod(generator.plan.size)))


def as_bytes(images: Tensor) -> np.ndarray:
    """Convert images (N, C, *size) in [-1, 1] to uint8 (N, *size, C).

    -1 becomes 0 and 1 becomes 255; values between are rounded to the nearest level, values outside clipped.
    """
    return as_stored(images, AS_BYTES)


def as_stored(outputs: Tensor, stored: StoredAs) -> np.ndarray:
    """Convert what a generator makes (N, C, *size) to stored values (N, *size, channels), in their units.

    Whole numbers are rounded, and clipped to those of their type.
    """
    values = stored.scale.decode(outputs.detach().float().movedim(1, -1), torch)
    if stored.dtype.kind == "f":
        return values.cpu().numpy()
    limits = np.iinfo(stored.dtype)
    whole = values.round().clamp(limits.min, limits.max)
    is_byte = stored.dtype == np.uint8  # converted before it is copied from the device
    return (whole.to(torch.uint8) if is_byte else whole).cpu().numpy().astype(stored.dtype, copy=False)
