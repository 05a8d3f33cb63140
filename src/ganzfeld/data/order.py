"""The order in which images are trained on: a pure function of the seed, with no state to save or to lose.

Training sees one endless stream. Image number ``i`` of it lies in epoch ``i // num_pictures``, and every
epoch is a fresh permutation of all images, so a run that resumes after ``images_seen`` images needs that
number and nothing else. The permutation sorts the images by a hash of (seed, epoch, image): it is the
same on every machine and with every version of NumPy, which promises no such thing of its own generators.
"""

from functools import lru_cache

import numpy as np


def batch_indices(
    num_pictures: int, seed: int, images_seen: int, batch: int, rank: int = 0, num_ranks: int = 1
) -> np.ndarray:
    """Indices of the next ``batch`` images after ``images_seen`` of them, or one rank's share of these.

    Returns an int64 array of shape (batch,) with values in [0, num_pictures). A batch runs on into the next
    epoch, or through several of them where it is larger than the set. The cost is that of the batch, apart
    from the one permutation that each new epoch needs (4 bytes an image; the last two are kept).

    Of several ranks, each gets the places ``rank``, ``rank + num_ranks``, ... of the batch: together they
    read the images that one alone would, and no place twice.

    Raises ``ValueError`` unless there is at least one image, no number is negative and the rank exists.
    """
    if num_pictures < 1 or images_seen < 0 or batch < 0:
        raise ValueError(f"no order for {num_pictures} images, {images_seen} seen, a batch of {batch}")
    if not 0 <= rank < num_ranks:
        raise ValueError(f"there is no rank {rank} among {num_ranks}")
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
    """The order of one epoch: every index in [0, num_pictures) once, read-only, shape (num_pictures,).

    Any integers will do as ``seed`` and ``epoch``. Stable sorting makes even a collision of hashes harmless.
    """
    key = _mixed(_mixed(np.array([seed % 2**64], np.uint64)) + np.uint64(epoch % 2**64))
    hashes = _mixed(_mixed(np.arange(num_pictures, dtype=np.uint64)) ^ key)
    small = np.uint32 if num_pictures <= 2**32 else np.uint64
    order = np.argsort(hashes, kind="stable").astype(small)
    order.flags.writeable = False
    return order


def spread(num_pictures: int, wanted: int) -> np.ndarray:
    """Indices spread evenly over all images, at most ``wanted``, each at most once: int64, ascending."""
    return np.unique(np.linspace(0, num_pictures - 1, min(wanted, num_pictures)).astype(np.int64))


def _mixed(values: np.ndarray) -> np.ndarray:
    """SplitMix64 (Steele, Lea and Flood 2014): a bijection of uint64 that scatters neighbours."""
    values = values + np.uint64(0x9E3779B97F4A7C15)
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))
