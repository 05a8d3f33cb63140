"""Read images: turn what the user has into batches of uint8.

    source -> listing -> shards (decoded by worker processes) -> finalized set in the cache -> batches

``open_images`` does all of this. ``batch_indices`` gives the order of training. This package uses NumPy only,
no tensors.
"""

from ganzfeld.data.images import ImageDataset, Unusable, open_images
from ganzfeld.data.order import batch_indices

__all__ = ["ImageDataset", "Unusable", "batch_indices", "open_images", "open_pictures"]

open_pictures = open_images
"""The old name of ``open_images``, for existing programs."""
