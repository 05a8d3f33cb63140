"""Instance normalisation: statistics per image and channel, over positions (Ulyanov et al. 2016).

It is undefined on a map of one position: torch raises an error in training with such a plan.
"""

import torch.fx
from torch import Tensor, nn
from torch.nn import functional

ACROSS_IMAGES = False
ON_WEIGHTS = False
CENTRES = True

torch.fx.wrap("normalised")  # it branches on the number of images, which is not known during a trace


def normalised(images: Tensor, weight: Tensor, bias: Tensor, eps: float) -> Tensor:
    """Normalise maps (B, C, ...) over their positions, then scale and shift by ``weight`` and ``bias`` (C,).

    torch 2.13 on a CPU takes one image whose gradient is in the channels-last layout for another layout: the
    gradient is then wrong by as much as its size. Maps with a single axis of positions have only one layout.
    """
    is_traced = torch.jit.is_tracing()  # pyright: ignore[reportPrivateImportUsage]
    maps = images.flatten(2) if not is_traced and images.shape[0] == 1 else images
    return functional.instance_norm(maps, weight=weight, bias=bias, eps=eps).reshape(images.shape)


class _OfAnyLayout(nn.modules.instancenorm._InstanceNorm):
    """An affine instance norm whose gradient is right in every memory layout."""

    def forward(self, input: Tensor) -> Tensor:
        """Normalise maps (B, C, ...)."""
        return normalised(input, self.weight, self.bias, self.eps)


class InstanceNorm1d(_OfAnyLayout, nn.InstanceNorm1d):
    """Over one axis of positions."""


class InstanceNorm2d(_OfAnyLayout, nn.InstanceNorm2d):
    """Over two axes of positions."""


class InstanceNorm3d(_OfAnyLayout, nn.InstanceNorm3d):
    """Over three axes of positions."""


_BY_DIMS = {1: InstanceNorm1d, 2: InstanceNorm2d, 3: InstanceNorm3d}


def normalise(layer: nn.Module, channels: int, dims: int) -> list[nn.Module]:
    """Return the layer and an affine instance norm over ``channels``, without running statistics."""
    return [layer, _BY_DIMS[dims](channels, affine=True)]
