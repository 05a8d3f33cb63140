"""R1: the discriminator is flat at real images, weight/2 E |grad D(x)|^2 (Mescheder et al. 2018, eq. 9)."""

from typing import final

import torch
from pydantic import Field
from torch import Tensor

from ganzfeld.stabilisers._base import GradientPenalty


@final
class Stabiliser(GradientPenalty):
    """Half the squared norm of the gradient at real images."""

    weight: float = Field(default=1.0, gt=0, le=1e6)

    def points(self, real: Tensor, fake: Tensor, noise: torch.Generator) -> Tensor:
        """Real images."""
        return real

    def cost(self, squared_norm: Tensor) -> Tensor:
        """Half the squared norm."""
        return squared_norm / 2
