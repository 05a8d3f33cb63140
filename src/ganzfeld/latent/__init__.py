"""The latent space: the priors from which latent vectors are drawn, and the vector that belongs to a seed."""

from collections.abc import Sequence

import torch
from torch import Tensor

from ganzfeld.errors import UsageError
from ganzfeld.latent.paths import lerp, slerp
from ganzfeld.latent.priors import priors

__all__ = ["LARGEST_SEED", "latents_of_seeds", "lerp", "priors", "slerp", "truncate"]

LARGEST_SEED = 2**63 - 1


def latents_of_seeds(seeds: Sequence[int], size: int, prior: str = "normal") -> Tensor:
    """One latent vector a seed, (len(seeds), size), the same whatever other seeds are asked for.

    Drawn on the processor, so that a seed means one vector on every device. Raises ``UsageError`` for a seed
    that is negative or above 2^63 - 1.
    """
    sample = priors.load(prior).sample
    vectors = []
    for seed in seeds:
        if not 0 <= seed <= LARGEST_SEED:
            raise UsageError(f"seed {seed} is out of range: from 0 to {LARGEST_SEED}")
        vectors.append(sample(1, size, torch.Generator().manual_seed(seed)))
    return torch.cat(vectors) if vectors else torch.empty(0, size)


def truncate(latents: Tensor, psi: float) -> Tensor:
    """Pull latents towards the centre of the prior by the factor ``psi``: less variety, fewer odd pictures.

    1 changes nothing, 0 gives the one central picture. Raises ``UsageError`` outside [0, 2].
    """
    if not 0 <= psi <= 2:
        raise UsageError(f"truncation {psi} is out of range: from 0 (one picture) over 1 (as trained) to 2")
    return latents * psi
