"""Spectral normalisation of the layer itself: weights divided by the largest singular value of its map.

``spectral`` constrains the kernel, reshaped to a matrix (Miyato et al. 2018). This is not the map that a
convolution applies to an image: with that constraint a layer of kernel 4, stride 2 and random weights still
increases the norm of some images by a factor of 1.28. This entry divides by the norm of the map on a periodic
image (Sedghi et al. 2019); zero padding only makes the norm smaller. Each forward pass in training mode makes
one step of power iteration on one field of ``CELLS`` outputs per axis, which costs as much as one image.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.functional import normalize
from torch.nn.utils import parametrize

from ganzfeld.networks.normalisations.spectral import settle

ACROSS_IMAGES = False
ON_WEIGHTS = True
CENTRES = False

CELLS = 8
"""The number of outputs per axis of the periodic field, and so of frequencies at which the norm is found."""

_CONVOLVE: dict[int, Callable[..., Tensor]] = {
    1: functional.conv1d,
    2: functional.conv2d,
    3: functional.conv3d,
}
_TRANSPOSE: dict[int, Callable[..., Tensor]] = {
    1: functional.conv_transpose1d,
    2: functional.conv_transpose2d,
    3: functional.conv_transpose3d,
}


def normalise(layer: nn.Module, channels: int, dims: int) -> list[nn.Module]:
    """Constrain every weight matrix and kernel inside a layer, except those already constrained."""
    for module in list(layer.modules()):
        constrain(module)
    return [layer]


def constrain(module: nn.Module) -> None:
    """Divide the weight of a linear layer or a convolution, transposed or not, by the norm of its map.

    Does nothing to other modules, or to a weight that is already constrained.
    """
    weight = getattr(module, "weight", None)
    if isinstance(weight, nn.Parameter) and weight.dim() > 1:
        stride: Any = getattr(module, "stride", ())
        constraint = LayerNormOne(weight, tuple(stride))
        parametrize.register_parametrization(module, "weight", constraint, unsafe=True)
        settle(module)


class LayerNormOne(nn.Module):
    """Maps weights (A, B, *kernel), with A channels on the small side, to weights whose layer has norm 1."""

    small: Tensor

    def __init__(self, weight: Tensor, stride: tuple[int, ...]) -> None:
        super().__init__()
        self.stride = stride
        field = torch.randn(1, weight.shape[0], *[CELLS] * len(stride), device=weight.device)
        self.register_buffer("small", _unit(field))

    def forward(self, weight: Tensor) -> Tensor:
        """Divide a weight by the norm of its layer."""
        return weight / self.norm(weight)

    def norm(self, weight: Tensor) -> Tensor:
        """Estimate the largest singular value of the layer, differentiably in the weight."""
        with torch.autocast(weight.device.type, enabled=False):
            with torch.no_grad():
                small = self.small.to(weight.dtype)
                large = _unit(transposed(small, weight, self.stride))
                if self.training:
                    small = _unit(convolved(large, weight, self.stride))
                    self.small.copy_(small)
                    large = _unit(transposed(small, weight, self.stride))
            return (small * convolved(large, weight, self.stride)).sum()


def convolved(large: Tensor, weight: Tensor, stride: Sequence[int]) -> Tensor:
    """Convolve a periodic field (1, B, *large) with a kernel, to (1, A, *small); without axes, a product."""
    if not stride:
        return functional.linear(large, weight)
    padding = [
        side
        for size, step in zip(reversed(weight.shape[2:]), reversed(stride), strict=True)
        for side in _wrapped(size, step)
    ]
    return _CONVOLVE[len(stride)](functional.pad(large, padding, mode="circular"), weight, stride=stride)


def transposed(small: Tensor, weight: Tensor, stride: Sequence[int]) -> Tensor:
    """Apply the adjoint of ``convolved`` to a field (1, A, *small), to (1, B, *large)."""
    if not stride:
        return functional.linear(small, weight.t())
    shape = weight.shape[2:]
    # The field is continued by as many neighbours as reach into it; their outputs outside it are cut off.
    around = [-(-size // step) - 1 for size, step in zip(shape, stride, strict=True)]
    padding = [side for number in reversed(around) for side in (number, number)]
    spread = _TRANSPOSE[len(stride)](functional.pad(small, padding, mode="circular"), weight, stride=stride)
    for axis, (number, size, step) in enumerate(zip(around, shape, stride, strict=True), start=2):
        begin = number * step + _wrapped(size, step)[0]
        length = small.shape[axis] * step
        missing = begin + length - spread.shape[axis]
        if missing > 0:  # with a stride larger than the kernel, nothing reaches the last positions
            spread = functional.pad(spread, [*[0, 0] * (spread.dim() - 1 - axis), 0, missing])
        spread = spread.narrow(axis, begin, length)
    return spread


def _wrapped(kernel: int, stride: int) -> tuple[int, int]:
    """Return how many positions wrap around before and after a periodic axis."""
    overlap = max(0, kernel - stride)
    return overlap // 2, overlap - overlap // 2


def _unit(field: Tensor) -> Tensor:
    """Scale a field to norm 1."""
    return normalize(field.flatten(), dim=0).view_as(field)
