"""The uniform distribution on the sphere of radius sqrt(size) (White 2016): the shell on which normal vectors
of many components lie anyway.
"""

import torch
from torch import Tensor


def sample(num: int, size: int, noise: torch.Generator) -> Tensor:
    """(num, size), every row of norm sqrt(size)."""
    direction = torch.randn(num, size, generator=noise, device=noise.device)
    return direction * (size**0.5 / direction.norm(dim=1, keepdim=True).clamp_min(1e-12))


def variance(size: int) -> float:
    """Of one component."""
    return 1.0
