"""The standard normal distribution, N(0, I). Its norm concentrates near sqrt(size)."""

import torch
from torch import Tensor

from ganzfeld.latent.paths import slerp


def sample(num: int, size: int, noise: torch.Generator) -> Tensor:
    """Draw latents (num, size)."""
    return torch.randn(num, size, generator=noise, device=noise.device)


def variance(size: int) -> float:
    """Return the variance of one component."""
    return 1.0


path = slerp
"""The arc from one latent to another keeps the norm that the prior concentrates on."""


def onto(latents: Tensor) -> Tensor:
    """Return the latents themselves: the prior has a density everywhere."""
    return latents
