"""The standard normal distribution truncated at two standard deviations (Brock et al. 2019).

It is drawn by the inverse of its distribution function, so that every component uses one uniform number.
"""

import math

import torch
from torch import Tensor

LIMIT = 2.0


def sample(num: int, size: int, noise: torch.Generator) -> Tensor:
    """Draw latents (num, size), every component in [-2, 2]."""
    uniform = torch.rand(num, size, generator=noise, device=noise.device, dtype=torch.float64)
    inside = math.erf(LIMIT / math.sqrt(2))
    return (math.sqrt(2) * torch.erfinv((2 * uniform - 1) * inside)).clamp(-LIMIT, LIMIT).float()


def variance(size: int) -> float:
    """Return the variance of one component: 1 - 2 t phi(t) / (2 Phi(t) - 1) at t = 2."""
    density = math.exp(-(LIMIT**2) / 2) / math.sqrt(2 * math.pi)
    return 1 - 2 * LIMIT * density / math.erf(LIMIT / math.sqrt(2))
