"""Generators whose images are known in closed form, in place of trained ones."""

from collections.abc import Callable
from typing import final

import torch
from torch import Tensor

from ganzfeld.geometry import plan
from ganzfeld.inside import LatentModel
from ganzfeld.networks import Generator

SIZE, LATENT = 16, 6


@final
class Toy(Generator):
    """A generator that makes the images of a function of its latents."""

    def __init__(self, draw: Callable[[Tensor], Tensor], latent_size: int = LATENT) -> None:
        super().__init__(plan(SIZE), channels=3, latent_size=latent_size, width=4)
        self.draw = draw

    def forward(self, latents: Tensor, labels: Tensor | None = None) -> Tensor:
        return self.draw(latents)


def toy(draw: Callable[[Tensor], Tensor], prior: str = "normal", latent_size: int = LATENT) -> LatentModel:
    """A model of images (n, 3, 16, 16) that ``draw`` makes from latents (n, latent_size)."""
    return LatentModel(Toy(draw, latent_size).eval().requires_grad_(False), prior)


def two_attributes(latents: Tensor) -> Tensor:
    """Images that are red or blue by the sign of component 0, and bright on the left or right by 1."""
    red, left = (torch.sigmoid(8 * latents[:, column]) for column in (0, 1))
    colour = torch.stack((red, torch.zeros_like(red), 1 - red), 1)[:, :, None, None]
    side = torch.cat((left[:, None].expand(-1, SIZE // 2), 1 - left[:, None].expand(-1, SIZE // 2)), 1)[
        :, None, None
    ]
    return 2 * (colour * side).expand(-1, 3, SIZE, SIZE) - 1


def linear(weights: Tensor) -> Callable[[Tensor], Tensor]:
    """Images that are a linear function (latent_size, 768) of their latents."""
    return lambda latents: (latents @ weights.to(latents)).reshape(-1, 3, SIZE, SIZE)
