"""The order of training images: a pure function of the seed, with no state to save.

Training reads one endless stream. Image ``i`` of the stream is in epoch ``i // num_pictures``, and every
epoch is a new permutation of all images, so a run only needs ``images_seen`` to resume. The permutation sorts
the images by a hash of (seed, epoch, image). It is the same on every machine and with every version of NumPy,
whose own generators do not guarantee this.
"""

from functools import lru_cache

import numpy as np


def batch_indices(
    num_pictures: int, seed: int, images_seen: int, batch: int, rank: int = 0, num_ranks: int = 1
) -> np.ndarray:
    """Return the indices of the ``batch`` images after the first ``images_seen``, or one rank's share.

    Returns an int64 array of shape (batch,) with values in [0, num_pictures). A batch continues into the next
    epoch, or through several epochs if it is larger than the dataset. The cost is that of the batch, plus one
    permutation per new epoch (4 bytes per image; the last two are cached).

    With several ranks, each gets the positions ``rank``, ``rank + num_ranks``, ... of the batch: together
    they read the same images as a single process, and no position twice.

    Raises ``ValueError`` if there are no images, a number is negative or the rank does not exist.
    """
    if num_pictures < 1 or images_seen < 0 or batch < 0:
        raise ValueError(f"no order for {num_pictures} images, {images_seen} seen, a batch of {batch}")
    if not 0 <= rank < num_ranks:
        raise ValueError(f"there is no rank {rank} in a world of size {num_ranks}")
    indices = np.empty(batch, np.int64)
    filled = 0
    while filled < batch:
        epoch, begin = divmod(images_seen + filled, num_pictures)
        take = min(num_pictures - begin, batch - filled)
        indices[filled : filled + take] = permutation(num_pictures, seed, epoch)[begin : begin + take]
        filled += take
    return indices[rank::num_ranks]


@lru_cache(maxsize=2)
def permutation(num_pictures: int, seed: int, epoch: int) -> np.ndarray:
    """Return the order of one epoch: every index in [0, num_pictures) once, read-only, (num_pictures,).

    ``seed`` and ``epoch`` may be any integers. Stable sorting makes collisions of hashes harmless.
    """
    key = _splitmix64(_splitmix64(np.array([seed % 2**64], np.uint64)) + np.uint64(epoch % 2**64))
    hashes = _splitmix64(_splitmix64(np.arange(num_pictures, dtype=np.uint64)) ^ key)
    small = np.uint32 if num_pictures <= 2**32 else np.uint64
    order = np.argsort(hashes, kind="stable").astype(small)
    order.flags.writeable = False
    return order


def evenly_spaced(num_pictures: int, wanted: int) -> np.ndarray:
    """Return up to ``wanted`` different indices, spread evenly over all images: int64, ascending."""
    return np.unique(np.linspace(0, num_pictures - 1, min(wanted, num_pictures)).astype(np.int64))


def _splitmix64(values: np.ndarray) -> np.ndarray:
    """Apply SplitMix64 (Steele, Lea and Flood 2014), a bijection of uint64 that scatters neighbours."""
    values = values + np.uint64(0x9E3779B97F4A7C15)
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))
