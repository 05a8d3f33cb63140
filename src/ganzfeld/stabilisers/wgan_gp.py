"""WGAN-GP: a penalty on gradients whose norm is not 1, between real and generated images.

Source: Gulrajani et al. 2017, eq. 3.
"""

from typing import ClassVar, final

import torch
from pydantic import Field
from torch import Tensor

from ganzfeld.stabilisers._base import GradientPenalty
from ganzfeld.stabilisers._noise import drawn


@final
class Stabiliser(GradientPenalty):
    """Penalises the squared distance of the gradient's norm from 1 at random points between paired images."""

    REPEATS: ClassVar[bool] = False

    weight: float = Field(default=10.0, gt=0, le=1e6)

    def points(self, real: Tensor, fake: Tensor, noise: torch.Generator) -> Tensor:
        """Return a uniformly random mixture of each real image with the generated image of its pair."""
        shares = drawn(torch.rand, noise, real)
        return torch.lerp(real, fake, shares.view(-1, *[1] * (real.dim() - 1)))

    def cost(self, squared_norm: Tensor) -> Tensor:
        """Compute (norm - 1)^2, with the norm kept off zero, where the square root has no derivative."""
        return (squared_norm.clamp_min(1e-12).sqrt() - 1).square()
