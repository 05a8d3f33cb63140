"""The latent space: the priors from which latent vectors are drawn, and the vector that belongs to a seed."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ganzfeld.errors import UsageError
from ganzfeld.free_memory import require_memory
from ganzfeld.latent.paths import lerp, slerp
from ganzfeld.latent.priors import priors

__all__ = ["LARGEST_SEED", "latents_of_seeds", "lerp", "num_of", "priors", "seeds_of", "slerp", "truncate"]

LARGEST_SEED = 2**63 - 1
LARGEST_LATENT = 65_536
_OBJECT_BYTES = 500
"""About what a tensor takes beside its numbers."""


def latents_of_seeds(seeds: Sequence[int], size: int, prior: str = "normal") -> Tensor:
    """One latent vector a seed, (len(seeds), size), the same whatever other seeds are asked for.

    Drawn on the processor, so that a seed means one vector on every device. Raises ``UsageError`` for a seed
    that is no whole number, negative or above 2^63 - 1, and for a size that is not from 1 to 65,536;
    ``ResourceError`` for more vectors than memory holds.
    """
    if not _is_whole(size) or not 1 <= size <= LARGEST_LATENT:
        raise UsageError(f"a latent vector has from 1 to {LARGEST_LATENT:,} components, not {size!r}")
    sample, seeds = priors.load(prior).sample, seeds_of(seeds)
    needed = 2 * num_of(seeds) * (4 * size + _OBJECT_BYTES)
    require_memory(needed, "so many latent vectors", "Ask for fewer at once.")
    vectors = []
    for seed in seeds:
        if not _is_whole(seed) or not 0 <= seed <= LARGEST_SEED:
            raise UsageError(f"seed {seed!r} is out of range: whole numbers from 0 to {LARGEST_SEED}")
        vectors.append(sample(1, size, torch.Generator().manual_seed(int(seed))))
    return torch.cat(vectors) if vectors else torch.empty(0, size)


def seeds_of(given: Any) -> Sequence[int]:
    """The seeds in a list, array, tensor or range. Raises ``UsageError`` for what holds no whole numbers."""
    if isinstance(given, range):
        return given
    flat = getattr(given, "ndim", 1) == 1
    if isinstance(given, str | bytes | Mapping) or not isinstance(given, Iterable) or not flat:
        raise UsageError(
            f"seeds cannot be {type(given).__name__} {str(given)[:40]!r}", "Give a list of whole numbers."
        )
    return given.tolist() if isinstance(given, np.ndarray | Tensor) else list(given)


def num_of(seeds: Sequence[int]) -> int:
    """How many seeds there are. Raises ``UsageError`` for more than can be counted."""
    try:
        return len(seeds)
    except OverflowError:
        raise UsageError(f"so many seeds are out of range: at most {LARGEST_SEED:,} at once") from None


def _is_whole(number: object) -> bool:
    return isinstance(number, int | np.integer) and not isinstance(number, bool)


def truncate(latents: Tensor, psi: float) -> Tensor:
    """Pull latents towards the centre of the prior by the factor ``psi``: less variety, fewer odd images.

    1 changes nothing, 0 gives the one central image. Raises ``UsageError`` outside [0, 2].
    """
    number = isinstance(psi, int | float | np.number | Tensor) and not isinstance(psi, bool)
    if not number or getattr(psi, "ndim", 0) != 0 or not 0 <= float(psi) <= 2:
        raise UsageError(f"truncation {psi!r} is out of range: from 0 (one image) over 1 (as trained) to 2")
    return latents * float(psi)
