"""Where the pictures of a step come from: the cache, or the memory of a graphics card that holds them all."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from ganzfeld.compute.distributed import Ranks
from ganzfeld.compute.engine import Engine
from ganzfeld.data import ImageDataset

CHUNK = 4096
"""Pictures that pass through the processor's memory at once on their way to the card."""

Gather = Callable[[np.ndarray], Tensor]
"""From indices (B,) to uint8 pictures (B, H, W, C) on the device."""


def gathering(pictures: ImageDataset, engine: Engine, ranks: Ranks) -> Gather:
    """From the card if the set fits there and one process trains alone; of several each reads its share."""
    if ranks.number == 1 and engine.has_room_for(pictures.pixel_bytes):
        return from_device(pictures, engine)
    return from_cache(pictures, engine)


def from_cache(pictures: ImageDataset, engine: Engine) -> Gather:
    """Gathered by the processor from the memory-mapped cache, then carried to the device."""
    return lambda indices: engine.carry(pictures.batch(indices))


def from_device(pictures: ImageDataset, engine: Engine) -> Gather:
    """Carried to the device once, all of them, as bytes."""
    numbers = np.arange(pictures.num_pictures)
    chunks = [engine.carry(pictures.batch(numbers[at : at + CHUNK])) for at in range(0, len(numbers), CHUNK)]
    resident = torch.cat(chunks)
    return lambda indices: resident[engine.carry(indices)]
