"""Differentiable augmentation: real and generated images get the same kinds of random changes before D.

It is meant for small datasets, which D would otherwise memorise. All changes work in any number of
dimensions; each image of a batch gets its own. Source: Zhao et al. 2020.
"""

from typing import ClassVar, final

import torch
from pydantic import Field
from torch import Tensor

from ganzfeld.stabilisers._base import Stabiliser as Base
from ganzfeld.stabilisers._noise import drawn


@final
class Stabiliser(Base):
    """Changes brightness and contrast, translates, and cuts out a box; 0 switches a change off.

    ``colour`` is the largest change of brightness (in units of the range [-1, 1]) and of contrast (relative).
    ``translation`` is the largest shift and ``cutout`` the edge of the removed box, as fractions of the size.
    Pixels from outside the image are 0.
    """

    REPEATS: ClassVar[bool] = False

    colour: float = Field(default=0.25, ge=0, lt=1)
    translation: float = Field(default=0.125, ge=0, lt=1)
    cutout: float = Field(default=0.0, ge=0, lt=1)

    def transform(self, images: Tensor, progress: float, noise: torch.Generator) -> Tensor:
        """Change images (B, C, *size)."""
        if self.colour:
            images = _recolour(images, self.colour, noise)
        for axis in range(2, images.dim()):
            if self.translation:
                images = _translate(images, axis, self.translation, noise)
        if self.cutout:
            images = _cut_out(images, self.cutout, noise)
        return images


def _recolour(images: Tensor, strength: float, noise: torch.Generator) -> Tensor:
    brightness, contrast = (_uniform(images, noise) * strength for _ in range(2))
    mean = images.mean(dim=tuple(range(1, images.dim())), keepdim=True)
    return (images - mean) * (1 + contrast) + mean + brightness


def _translate(images: Tensor, axis: int, share: float, noise: torch.Generator) -> Tensor:
    size = images.shape[axis]
    shift = (_uniform(images, noise) * share * size).round()
    positions = _along(axis, images) + shift
    inside = (positions >= 0) & (positions < size)
    index = positions.clamp(0, size - 1).long().expand_as(images)
    return images.gather(axis, index) * inside


def _cut_out(images: Tensor, share: float, noise: torch.Generator) -> Tensor:
    removed = torch.ones(1, dtype=torch.bool, device=images.device)
    for axis in range(2, images.dim()):
        size = images.shape[axis]
        centre = (_uniform(images, noise) + 1) / 2 * size
        removed = removed & ((_along(axis, images) + 0.5 - centre).abs() < share * size / 2)
    return images * ~removed


def _uniform(images: Tensor, noise: torch.Generator) -> Tensor:
    """Draw one number in [-1, 1) per image, shaped to broadcast."""
    numbers = drawn(torch.rand, noise, images) * 2 - 1
    return numbers.view(-1, *[1] * (images.dim() - 1))


def _along(axis: int, images: Tensor) -> Tensor:
    """Return the positions 0, 1, 2, ... along an axis, shaped to broadcast."""
    shape = [1] * images.dim()
    shape[axis] = images.shape[axis]
    return torch.arange(images.shape[axis], device=images.device).view(shape)
