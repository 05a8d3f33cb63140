"""Group normalisation: statistics per image and group of channels, over positions (Wu & He 2018)."""

import math

from torch import nn

ACROSS_IMAGES = False
ON_WEIGHTS = False
CENTRES = True

MOST_GROUPS = 32


def normalise(layer: nn.Module, channels: int, dims: int) -> list[nn.Module]:
    """Return the layer and a group norm of 32 groups, or fewer (a power of two) if 32 is no divisor."""
    return [layer, nn.GroupNorm(math.gcd(MOST_GROUPS, channels), channels)]
