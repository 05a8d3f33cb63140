"""Layer normalisation: statistics per image, over channels and positions (Ba et al. 2016).

The affine part is per channel, as usual for convolutional maps, so one module serves every size of map.
"""

from torch import nn

ACROSS_IMAGES = False
ON_WEIGHTS = False
CENTRES = True


def normalise(layer: nn.Module, channels: int, dims: int) -> list[nn.Module]:
    """The layer, then a group norm of one group, which is layer norm over all axes but the batch."""
    return [layer, nn.GroupNorm(1, channels)]
