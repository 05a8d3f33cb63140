"""Ways from one latent vector to another."""

import torch
from torch import Tensor


def lerp(start: Tensor, end: Tensor, share: float) -> Tensor:
    """The straight way: (n, size) at ``share`` of the way, 0 to 1.

    Between independent normal vectors its middle is nearer to the centre than nearly every draw.
    """
    return start + share * (end - start)


def slerp(start: Tensor, end: Tensor, share: float) -> Tensor:
    """The way along the arc (Shoemake 1985; for latents White 2016), (n, size) at ``share`` of it, 0 to 1.

    The angle grows evenly, and the norm goes from one to the other without leaving the shell. Vectors of one
    direction, or of opposite ones, which no single arc joins, are joined by the straight way.
    """
    directions = [vector / vector.norm(dim=-1, keepdim=True).clamp_min(1e-12) for vector in (start, end)]
    cosine = (directions[0] * directions[1]).sum(-1, keepdim=True).clamp(-1, 1)
    angle = torch.acos(cosine)
    sine = torch.sin(angle)
    arc = (torch.sin((1 - share) * angle) * start + torch.sin(share * angle) * end) / sine
    return torch.where(sine > 1e-4, arc, lerp(start, end, share))
