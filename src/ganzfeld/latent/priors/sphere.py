"""The uniform distribution on the sphere of radius sqrt(size) (White 2016).

Normal vectors with many components lie close to this sphere anyway.
"""

import torch
from torch import Tensor

from ganzfeld.latent.paths import slerp


def sample(num: int, size: int, noise: torch.Generator) -> Tensor:
    """Draw latents (num, size), each of norm sqrt(size)."""
    direction = torch.randn(num, size, generator=noise, device=noise.device)
    return direction * (size**0.5 / direction.norm(dim=1, keepdim=True).clamp_min(1e-12))


def variance(size: int) -> float:
    """Return the variance of one component."""
    return 1.0


path = slerp
"""The path from one latent to another is a great circle."""


def onto(latents: Tensor) -> Tensor:
    """Return the nearest points (n, size) of the sphere."""
    return latents * (latents.shape[1] ** 0.5 / latents.norm(dim=1, keepdim=True).clamp_min(1e-12))
