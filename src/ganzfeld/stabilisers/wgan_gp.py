"""WGAN-GP: gradients of norm 1 between real and generated images (Gulrajani et al. 2017, eq. 3)."""

from typing import ClassVar, final

import torch
from pydantic import Field
from torch import Tensor

from ganzfeld.stabilisers._base import GradientPenalty
from ganzfeld.stabilisers._noise import drawn


@final
class Stabiliser(GradientPenalty):
    """Squared distance of the gradient's norm from 1, at random points between the two images of a pair."""

    REPEATS: ClassVar[bool] = False

    weight: float = Field(default=10.0, gt=0, le=1e6)

    def points(self, real: Tensor, fake: Tensor, noise: torch.Generator) -> Tensor:
        """One uniformly random mixture of each real image with its generated partner."""
        shares = drawn(torch.rand, noise, real)
        return torch.lerp(real, fake, shares.view(-1, *[1] * (real.dim() - 1)))

    def cost(self, squared_norm: Tensor) -> Tensor:
        """(norm - 1)^2; the square root is kept off zero, where it has no derivative."""
        return (squared_norm.clamp_min(1e-12).sqrt() - 1).square()
