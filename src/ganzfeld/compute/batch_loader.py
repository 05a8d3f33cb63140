"""Load the images of a step from the cache, or from GPU memory if the whole dataset fits there."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from ganzfeld.compute.distributed import Ranks
from ganzfeld.compute.engine import Engine
from ganzfeld.data import ImageDataset

CHUNK = 4096
"""The number of images copied to the GPU at once."""

Gather = Callable[[np.ndarray], Tensor]
"""From indices (B,) to uint8 images (B, H, W, C) on the device."""


def gathering(dataset: ImageDataset, engine: Engine, ranks: Ranks) -> Gather:
    """Choose the source of batches: the GPU if the dataset fits and there is one process, else the cache.

    With several processes, each reads only its share of a batch.
    """
    if ranks.world_size == 1 and engine.has_room_for(dataset.pixel_bytes):
        return from_device(dataset, engine)
    return from_cache(dataset, engine)


def from_cache(dataset: ImageDataset, engine: Engine) -> Gather:
    """Return a function that gathers images from the memory-mapped cache and copies them to the device."""
    return lambda indices: engine.carry(dataset.batch(indices))


def from_device(dataset: ImageDataset, engine: Engine, chunk: int = CHUNK) -> Gather:
    """Copy all images to the device as bytes, ``chunk`` at once; return a function that gathers from them."""
    indices = np.arange(dataset.num_pictures)
    starts = range(0, len(indices), chunk)
    resident = torch.cat([engine.carry(dataset.batch(indices[start : start + chunk])) for start in starts])
    return lambda indices: resident[engine.carry(indices)]
