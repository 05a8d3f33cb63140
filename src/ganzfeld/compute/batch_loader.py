"""Where the images of a step come from: the cache, or the memory of a graphics card that holds them all."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from ganzfeld.compute.distributed import Ranks
from ganzfeld.compute.engine import Engine
from ganzfeld.data import ImageDataset

CHUNK = 4096
"""Images that pass through the processor's memory at once on their way to the card."""

Gather = Callable[[np.ndarray], Tensor]
"""From indices (B,) to uint8 images (B, H, W, C) on the device."""


def gathering(dataset: ImageDataset, engine: Engine, ranks: Ranks) -> Gather:
    """From the card if the set fits there and one process trains alone; of several each reads its share."""
    if ranks.world_size == 1 and engine.has_room_for(dataset.pixel_bytes):
        return from_device(dataset, engine)
    return from_cache(dataset, engine)


def from_cache(dataset: ImageDataset, engine: Engine) -> Gather:
    """Gathered by the processor from the memory-mapped cache, then carried to the device."""
    return lambda indices: engine.carry(dataset.batch(indices))


def from_device(dataset: ImageDataset, engine: Engine) -> Gather:
    """Carried to the device once, all of them, as bytes."""
    numbers = np.arange(dataset.num_pictures)
    chunks = [engine.carry(dataset.batch(numbers[at : at + CHUNK])) for at in range(0, len(numbers), CHUNK)]
    resident = torch.cat(chunks)
    return lambda indices: resident[engine.carry(indices)]
