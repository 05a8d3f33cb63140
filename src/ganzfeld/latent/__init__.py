"""The latent space: the priors from which latent vectors are drawn, and the latent vector of each seed."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ganzfeld.errors import UsageError
from ganzfeld.free_memory import require_memory
from ganzfeld.latent.paths import lerp, slerp
from ganzfeld.latent.priors import priors
from ganzfeld.latent.streams import noise_of_seed
from ganzfeld.value_kinds import is_whole

__all__ = ["LARGEST_SEED", "latents_of_seeds", "lerp", "num_of", "priors", "seeds_of", "slerp", "truncate"]

LARGEST_SEED = 2**63 - 1
LARGEST_LATENT = 65_536
_OBJECT_BYTES = 500
"""The approximate size of a tensor without its values."""


def latents_of_seeds(seeds: Sequence[int], size: int, prior: str = "normal") -> Tensor:
    """Draw one latent vector per seed, (len(seeds), size), each of which depends on its seed alone.

    The vectors are drawn on the CPU, so that a seed gives the same vector on every device; see
    ``ganzfeld.latent.streams``. Raises
    ``UsageError`` unless every seed is a whole number from 0 to 2^63 - 1 and ``size`` is from 1 to 65,536,
    and ``ResourceError`` for more vectors than fit into memory.
    """
    if not is_whole(size) or not 1 <= size <= LARGEST_LATENT:
        raise UsageError(f"a latent vector has from 1 to {LARGEST_LATENT:,} components, not {size!r}")
    sample, seeds = priors.load(prior).sample, seeds_of(seeds)
    num_bytes = 2 * num_of(seeds) * (4 * size + _OBJECT_BYTES)
    require_memory(num_bytes, f"{num_of(seeds):,} latent vectors", "Draw fewer at once.")
    vectors = []
    for seed in seeds:
        if not is_whole(seed) or not 0 <= seed <= LARGEST_SEED:
            raise UsageError(
                f"seed {seed!r} is out of range: seeds are whole numbers from 0 to {LARGEST_SEED}"
            )
        vectors.append(sample(1, size, noise_of_seed(int(seed))))
    return torch.cat(vectors) if vectors else torch.empty(0, size)


def seeds_of(value: Any) -> Sequence[int]:
    """Return the seeds in a list, array, tensor or range. Raises ``UsageError`` for any other value."""
    if isinstance(value, range):
        return value
    is_flat = getattr(value, "ndim", 1) == 1
    if isinstance(value, str | bytes | Mapping) or not isinstance(value, Iterable) or not is_flat:
        raise UsageError(
            f"seeds cannot be {type(value).__name__} {str(value)[:40]!r}", "Give a list of whole numbers."
        )
    return value.tolist() if isinstance(value, np.ndarray | Tensor) else list(value)


def num_of(seeds: Sequence[int]) -> int:
    """Return the number of seeds. Raises ``UsageError`` if it is too large to be counted."""
    try:
        return len(seeds)
    except OverflowError:
        raise UsageError(f"there are too many seeds: at most {LARGEST_SEED:,} at once") from None


def truncate(latents: Tensor, psi: float) -> Tensor:
    """Scale latents by the factor ``psi``: below 1, images have less variety and fewer flaws.

    1 changes nothing, 0 gives the one image at the centre of the prior. Raises ``UsageError`` outside [0, 2].
    """
    is_number = isinstance(psi, int | float | np.number | Tensor) and not isinstance(psi, bool)
    if not is_number or getattr(psi, "ndim", 0) != 0 or not 0 <= float(psi) <= 2:
        raise UsageError(f"truncation {psi!r} is out of range: from 0 (one image) over 1 (as trained) to 2")
    return latents * float(psi)
