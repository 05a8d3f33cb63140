"""Instance noise: Gaussian noise on every image D sees, fading out (Sonderby et al. 2017)."""

from typing import ClassVar, final

import torch
from pydantic import Field
from torch import Tensor

from ganzfeld.stabilisers._base import Stabiliser as Base
from ganzfeld.stabilisers._noise import drawn


@final
class Stabiliser(Base):
    """Adds N(0, sigma^2), sigma falling linearly from ``sigma`` to 0 at the share ``until`` of the run."""

    REPEATS: ClassVar[bool] = False

    sigma: float = Field(default=0.1, gt=0, le=3.4e38)
    until: float = Field(default=1.0, gt=0, le=1)

    def transform(self, images: Tensor, progress: float, noise: torch.Generator) -> Tensor:
        """``images`` plus fresh noise of today's strength, in units of the range [-1, 1]."""
        sigma = self.sigma * max(0.0, 1 - progress / self.until)
        if sigma == 0:
            return images
        return images + sigma * drawn(torch.randn, noise, images, *images.shape[1:])
