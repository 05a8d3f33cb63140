"""Images in: from whatever the user has to batches of uint8, in one direction.

    source -> listing -> shards (decoded by worker processes) -> sealed set in the cache -> batches

``open_images`` is the whole way. ``batch_indices`` is the order of training. No tensors here: NumPy only.
"""

from ganzfeld.data.images import ImageDataset, Unusable, open_images
from ganzfeld.data.order import batch_indices

__all__ = ["ImageDataset", "Unusable", "batch_indices", "open_images", "open_pictures"]

open_pictures = open_images
"""The first name of ``open_images``, for programs written with it."""
