"""R2: the penalty weight/2 E |grad D(G(z))|^2 at generated images (Mescheder et al. 2018)."""

from typing import final

from pydantic import Field
from torch import Tensor

from ganzfeld.stabilisers._base import GradientPenalty


@final
class Stabiliser(GradientPenalty):
    """Penalises half the squared norm of the gradient at generated images."""

    AT = "fake"

    weight: float = Field(default=1.0, gt=0, le=1e6)

    def cost(self, squared_norm: Tensor) -> Tensor:
        """Compute half the squared norm."""
        return squared_norm / 2
