"""Layer normalisation: statistics per image, over channels and positions (Ba et al. 2016).

The affine parameters are per channel, as usual for convolutional maps, so a module works for every map size.
"""

from torch import nn

ACROSS_IMAGES = False
ON_WEIGHTS = False
CENTRES = True


def normalise(layer: nn.Module, channels: int, dims: int) -> list[nn.Module]:
    """Return the layer and a group norm of one group: a layer norm over all axes except the batch."""
    return [layer, nn.GroupNorm(1, channels)]
