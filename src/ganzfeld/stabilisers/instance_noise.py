"""Instance noise: Gaussian noise on every image before D, fading out over the run (Sonderby et al. 2017)."""

from typing import ClassVar, final

import torch
from pydantic import Field
from torch import Tensor

from ganzfeld.stabilisers._base import Stabiliser as Base
from ganzfeld.stabilisers._noise import drawn


@final
class Stabiliser(Base):
    """Adds N(0, sigma^2); sigma falls linearly from ``sigma`` to 0 at the fraction ``until`` of the run."""

    REPEATS: ClassVar[bool] = False

    sigma: float = Field(default=0.1, gt=0, le=3.4e38)
    until: float = Field(default=1.0, gt=0, le=1)

    def transform(self, images: Tensor, progress: float, noise: torch.Generator) -> Tensor:
        """Add noise of the strength at this progress, in units of the range [-1, 1], to the images."""
        sigma = self.sigma * max(0.0, 1 - progress / self.until)
        if sigma == 0:
            return images
        return images + sigma * drawn(torch.randn, noise, images, *images.shape[1:])
