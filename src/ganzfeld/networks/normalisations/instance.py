"""Instance normalisation: statistics per image and channel, over positions (Ulyanov et al. 2016).

It is undefined on a map of one position: torch raises an error in training with such a plan.
"""

from torch import nn

ACROSS_IMAGES = False
ON_WEIGHTS = False
CENTRES = True

_BY_DIMS = {1: nn.InstanceNorm1d, 2: nn.InstanceNorm2d, 3: nn.InstanceNorm3d}


def normalise(layer: nn.Module, channels: int, dims: int) -> list[nn.Module]:
    """Return the layer and an affine instance norm over ``channels``, without running statistics."""
    return [layer, _BY_DIMS[dims](channels, affine=True)]
