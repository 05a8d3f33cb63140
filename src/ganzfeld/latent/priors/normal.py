"""The standard normal distribution, N(0, I). Its norm concentrates near sqrt(size)."""

import torch
from torch import Tensor


def sample(num: int, size: int, noise: torch.Generator) -> Tensor:
    """Draw latents (num, size)."""
    return torch.randn(num, size, generator=noise, device=noise.device)


def variance(size: int) -> float:
    """Return the variance of one component."""
    return 1.0
