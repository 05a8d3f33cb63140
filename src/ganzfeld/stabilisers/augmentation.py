"""Differentiable augmentation: real and generated images get the same kinds of random changes before D.

It is meant for small datasets, which D would otherwise memorise. All changes work in any number of
dimensions; each image of a batch gets its own. Source: Zhao et al. 2020, DiffAugment with color, translation
and cutout.
"""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, final

import torch
from pydantic import Field
from torch import Tensor

from ganzfeld.stabilisers._base import Stabiliser as Base
from ganzfeld.stabilisers._noise import drawn


@final
class Stabiliser(Base):
    """Changes brightness, saturation and contrast, translates, and cuts out a box; 0 switches a change off.

    The defaults are those of the paper's code. ``brightness`` is the largest amount added to all values, in
    units of the range [-1, 1]. ``saturation`` is the largest relative change of a pixel's distances from its
    mean over channels, ``contrast`` that of all values' distances from the mean of the image. ``translation``
    is the largest shift (``shifts`` says how it is drawn) and ``cutout`` the edge of the removed box, as
    fractions of the size. Pixels from outside the image and in the box are 0.
    """

    REPEATS: ClassVar[bool] = False

    brightness: float = Field(default=0.5, ge=0, le=1)
    saturation: float = Field(default=1.0, ge=0, le=1)
    contrast: float = Field(default=0.5, ge=0, lt=1)
    translation: float = Field(default=0.125, ge=0, lt=1)
    cutout: float = Field(default=0.5, ge=0, lt=1)
    shifts: Literal["uniform", "rounded"] = "uniform"

    @classmethod
    def upgrade(cls, settings: Mapping[str, Any]) -> dict[str, Any]:
        """Convert settings of earlier versions, where ``colour`` set brightness and contrast alike.

        There, shifts were rounded, so that the largest were half as likely: runs resume with what they began.
        """
        fields = dict(settings)
        if "colour" in fields:
            strength = fields.pop("colour")
            earlier = {"brightness": strength, "saturation": 0.0, "contrast": strength, "cutout": 0.0}
            fields = earlier | {"shifts": "rounded"} | fields
        return fields

    def transform(self, images: Tensor, progress: float, noise: torch.Generator) -> Tensor:
        """Change images (B, C, *size)."""
        if self.saturation:
            mean = images.mean(1, keepdim=True)
            images = (images - mean) * (1 + self.saturation * _uniform(images, noise)) + mean
        # Saturation does not change the mean of an image, and brightness only shifts it.
        if self.brightness or self.contrast:
            brightness = self.brightness * _uniform(images, noise)
            contrast = self.contrast * _uniform(images, noise)
            mean = images.mean(dim=tuple(range(1, images.dim())), keepdim=True)
            images = (images - mean) * (1 + contrast) + mean + brightness
        for axis in range(2, images.dim()):
            if self.translation:
                images = _translate(images, axis, self._shifts(images, axis, noise))
        if self.cutout:
            images = _cut_out(images, self.cutout, noise)
        return images

    def _shifts(self, images: Tensor, axis: int, noise: torch.Generator) -> Tensor:
        """Draw a whole number of pixels per image, all numbers being equally likely unless ``rounded``."""
        size, drawn_numbers = images.shape[axis], _uniform(images, noise)
        if self.shifts == "rounded":
            return (drawn_numbers * self.translation * size).round()
        most = int(self.translation * size + 0.5)
        return ((drawn_numbers + 1) / 2 * (2 * most + 1)).floor().clamp(max=2 * most) - most


def _translate(images: Tensor, axis: int, shifts: Tensor) -> Tensor:
    """Shift each image along an axis by its whole number of pixels."""
    size = images.shape[axis]
    positions = _along(axis, images) + shifts
    inside = (positions >= 0) & (positions < size)
    index = positions.clamp(0, size - 1).long().expand_as(images)
    return images.gather(axis, index) * inside


def _cut_out(images: Tensor, share: float, noise: torch.Generator) -> Tensor:
    """Set a box to zero whose centre is drawn uniformly from the image."""
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
