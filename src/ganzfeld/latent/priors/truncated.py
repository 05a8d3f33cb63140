"""The standard normal distribution truncated at two standard deviations (Brock et al. 2019).

It is drawn by the inverse of its distribution function, so that every component uses one uniform number.
"""

import math

import torch
from torch import Tensor

from ganzfeld.latent.paths import slerp

LIMIT = 2.0
_INSIDE = math.erf(LIMIT / math.sqrt(2))
"""The share of a normal distribution within the limit."""


def sample(num: int, size: int, noise: torch.Generator) -> Tensor:
    """Draw latents (num, size), every component in [-2, 2]."""
    uniform = torch.rand(num, size, generator=noise, device=noise.device, dtype=torch.float64)
    return (math.sqrt(2) * torch.erfinv((2 * uniform - 1) * _INSIDE)).clamp(-LIMIT, LIMIT).float()


def variance(size: int) -> float:
    """Return the variance of one component: 1 - 2 t phi(t) / (2 Phi(t) - 1) at t = 2."""
    density = math.exp(-(LIMIT**2) / 2) / math.sqrt(2 * math.pi)
    return 1 - 2 * LIMIT * density / math.erf(LIMIT / math.sqrt(2))


def path(start: Tensor, end: Tensor, share: Tensor) -> Tensor:
    """Return points of a path from start to end whose components stay in [-2, 2].

    It is the arc between the normal vectors of which each component has the same quantile. The arc itself
    would leave the range, and the straight line would pass nearer to the centre than almost any draw.
    """
    arc = slerp(_as_normal(start), _as_normal(end), share)
    return (math.sqrt(2) * torch.erfinv(torch.erf(arc / math.sqrt(2)) * _INSIDE)).to(start)


def onto(latents: Tensor) -> Tensor:
    """Return the nearest points (n, size) of the range."""
    return latents.clamp(-LIMIT, LIMIT)


def _as_normal(latents: Tensor) -> Tensor:
    """Return the components of the normal distribution with the same quantiles, in float64."""
    quantiles = torch.erf(latents.double() / math.sqrt(2)) / _INSIDE
    return math.sqrt(2) * torch.erfinv(quantiles.clamp(-1 + 1e-12, 1 - 1e-12))
