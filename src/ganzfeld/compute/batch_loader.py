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
"""From indices (B,) to stored images (B, H, W, C) on the device: uint8, or values of another kind of data."""


def gathering(dataset: ImageDataset, engine: Engine, ranks: Ranks) -> Gather:
    """Choose the source of batches: the GPU if the dataset fits and there is one process, else the cache.

    With several processes, each reads only its share of a batch.
    """
    if ranks.world_size == 1 and engine.has_room_for(dataset.pixel_bytes):
        return from_device(dataset, engine)
    return from_cache(dataset, engine)


def from_cache(dataset: ImageDataset, engine: Engine) -> Gather:
    """Return a function that gathers images from the memory-mapped cache and copies them to the device."""
    return lambda indices: engine.carry(_computable(dataset.batch(indices)))


def from_device(dataset: ImageDataset, engine: Engine, chunk: int = CHUNK) -> Gather:
    """Copy all images to the device as bytes, ``chunk`` at once; return a function that gathers from them."""
    indices = np.arange(dataset.num_pictures)
    starts = range(0, len(indices), chunk)
    parts = (_computable(dataset.batch(indices[start : start + chunk])) for start in starts)
    resident = torch.cat([engine.carry(part) for part in parts])
    return lambda indices: resident[engine.carry(indices)]


def _computable(stored: np.ndarray) -> np.ndarray:
    """Return stored values in a type that torch computes with, which it hardly does with uint16."""
    return stored.astype(np.int32) if stored.dtype == np.uint16 else stored
