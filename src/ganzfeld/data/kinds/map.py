"""Maps: measured fields on two axes with any number of channels, in the units of their instrument.

Larger fields are cut into tiles of the training size; nothing is resampled, since that would change what is
measured. A field may be turned over, and its window moved.
"""

import math
from typing import ClassVar, final

import numpy as np

from ganzfeld.data.kinds._base import KindOfValues
from ganzfeld.data.scales import Scale

_DEVIATIONS = 3.0
"""How many standard deviations are shown on either side, where a scale has no bounds."""

_COLOURS = np.array([(68, 1, 84), (59, 82, 139), (33, 145, 140), (94, 201, 98), (253, 231, 37)])
"""Five colours of viridis (Smith and van der Walt 2015), evenly spaced."""

_ANCHORS = np.linspace(0, 1, len(_COLOURS))


@final
class Kind(KindOfValues):
    """The kind of telescope, microscope and simulation fields."""

    DIMS: ClassVar[int] = 2
    WORD: ClassVar[str] = "map"
    RECIPE: ClassVar[str] = "maps"
    SCALES: ClassVar[tuple[str, ...]] = ("linear", "log", "asinh", "standard", "peak", "bytes")
    AUGMENTATIONS: ClassVar[frozenset[str]] = frozenset(("mirror", "crop"))

    def view(self, items: np.ndarray, scale: Scale) -> np.ndarray:
        """Draw one channel in false colours, or several side by side in grey, over what the scale covers."""
        seen = scale.encode(items.astype(np.float32))
        low, high = scale.INTERVAL if math.isfinite(scale.INTERVAL[1]) else (-_DEVIATIONS, _DEVIATIONS)
        share = np.clip((seen - low) / (high - low), 0, 1)
        if share.shape[-1] > 1:
            side_by_side = np.concatenate(np.split(share, share.shape[-1], -1), 2)
            return np.rint(255 * side_by_side).astype(np.uint8)
        channels = [np.interp(share[..., 0], _ANCHORS, colour) for colour in _COLOURS.T]
        return np.rint(np.stack(channels, -1)).astype(np.uint8)
