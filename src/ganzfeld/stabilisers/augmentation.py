"""Differentiable augmentation: D sees real and generated pictures through the same random changes
(Zhao et al. 2020). Meant for small sets, where D would learn the pictures by heart.

All changes work on pictures of any dimension; each picture of a batch gets its own.
"""

from typing import ClassVar, final

import torch
from pydantic import Field
from torch import Tensor

from ganzfeld.stabilisers._base import Stabiliser as Base
from ganzfeld.stabilisers._noise import drawn


@final
class Stabiliser(Base):
    """Brightness, contrast, translation (zero outside) and cutout, each switched off by a zero.

    ``colour`` is the largest change of brightness (in units of the range [-1, 1]) and of contrast (relative);
    ``translation`` the largest shift and ``cutout`` the edge of the removed box, as shares of the size.
    """

    REPEATS: ClassVar[bool] = False

    colour: float = Field(default=0.25, ge=0, lt=1)
    translation: float = Field(default=0.125, ge=0, lt=1)
    cutout: float = Field(default=0.0, ge=0, lt=1)

    def transform(self, pictures: Tensor, progress: float, noise: torch.Generator) -> Tensor:
        """(B, C, *size), changed."""
        if self.colour:
            pictures = _recolour(pictures, self.colour, noise)
        for axis in range(2, pictures.dim()):
            if self.translation:
                pictures = _translate(pictures, axis, self.translation, noise)
        if self.cutout:
            pictures = _cut_out(pictures, self.cutout, noise)
        return pictures


def _recolour(pictures: Tensor, strength: float, noise: torch.Generator) -> Tensor:
    brightness, contrast = (_uniform(pictures, noise) * strength for _ in range(2))
    mean = pictures.mean(dim=tuple(range(1, pictures.dim())), keepdim=True)
    return (pictures - mean) * (1 + contrast) + mean + brightness


def _translate(pictures: Tensor, axis: int, share: float, noise: torch.Generator) -> Tensor:
    size = pictures.shape[axis]
    shift = (_uniform(pictures, noise) * share * size).round()
    positions = _along(axis, pictures) + shift
    inside = (positions >= 0) & (positions < size)
    index = positions.clamp(0, size - 1).long().expand_as(pictures)
    return pictures.gather(axis, index) * inside


def _cut_out(pictures: Tensor, share: float, noise: torch.Generator) -> Tensor:
    removed = torch.ones(1, dtype=torch.bool, device=pictures.device)
    for axis in range(2, pictures.dim()):
        size = pictures.shape[axis]
        centre = (_uniform(pictures, noise) + 1) / 2 * size
        removed = removed & ((_along(axis, pictures) + 0.5 - centre).abs() < share * size / 2)
    return pictures * ~removed


def _uniform(pictures: Tensor, noise: torch.Generator) -> Tensor:
    """One number in [-1, 1) a picture, shaped to broadcast."""
    numbers = drawn(torch.rand, noise, pictures) * 2 - 1
    return numbers.view(-1, *[1] * (pictures.dim() - 1))


def _along(axis: int, pictures: Tensor) -> Tensor:
    """0, 1, 2, ... along one axis, shaped to broadcast."""
    shape = [1] * pictures.dim()
    shape[axis] = pictures.shape[axis]
    return torch.arange(pictures.shape[axis], device=pictures.device).view(shape)
