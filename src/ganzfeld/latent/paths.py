"""Paths from one latent vector to another."""

import torch
from torch import Tensor


def lerp(start: Tensor, end: Tensor, share: float | Tensor) -> Tensor:
    """Return the point (n, size) at the fraction ``share``, 0 to 1, of the straight line from start to end.

    ``share`` is one number, or one per point (n, 1). Between independent normal vectors, the
    middle of the line is nearer to the centre than almost any draw.
    """
    return start + share * (end - start)


def slerp(start: Tensor, end: Tensor, share: float | Tensor) -> Tensor:
    """Return the point (n, size) at the fraction ``share``, 0 to 1, of the arc from start to end.

    ``share`` is one number, or one per point (n, 1). The angle changes linearly, and the norm stays
    between the norms of the two ends. Vectors in the same direction or in opposite directions, which no
    single arc joins, are joined by a straight line. Source: Shoemake 1985; for latents White 2016.
    """
    directions = [vector / vector.norm(dim=-1, keepdim=True).clamp_min(1e-12) for vector in (start, end)]
    cosine = (directions[0] * directions[1]).sum(-1, keepdim=True).clamp(-1, 1)
    angle = torch.acos(cosine)
    sine = torch.sin(angle)
    arc = (torch.sin((1 - share) * angle) * start + torch.sin(share * angle) * end) / sine
    return torch.where(sine > 1e-4, arc, lerp(start, end, share))
