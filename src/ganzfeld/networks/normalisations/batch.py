"""Batch normalisation: statistics per channel over batch and positions (Ioffe & Szegedy 2015)."""

from torch import nn

ACROSS_IMAGES = True
ON_WEIGHTS = False
CENTRES = True

_BY_DIMS = {1: nn.BatchNorm1d, 2: nn.BatchNorm2d, 3: nn.BatchNorm3d}


def normalise(layer: nn.Module, channels: int, dims: int) -> list[nn.Module]:
    """Return the layer and an affine batch norm over ``channels``."""
    return [layer, _BY_DIMS[dims](channels)]
