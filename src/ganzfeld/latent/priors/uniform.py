"""The uniform distribution on [-1, 1) with independent components; the prior of Radford et al. 2015."""

import torch
from torch import Tensor

from ganzfeld.latent.paths import lerp


def sample(num: int, size: int, noise: torch.Generator) -> Tensor:
    """Draw latents (num, size)."""
    return 2 * torch.rand(num, size, generator=noise, device=noise.device) - 1


def variance(size: int) -> float:
    """Return the variance of one component."""
    return 1 / 3


path = lerp
"""The straight line from one latent to another stays in the cube."""


def onto(latents: Tensor) -> Tensor:
    """Return the nearest points (n, size) of the cube."""
    return latents.clamp(-1, 1)
