"""Convert stored sample values to levels, from those that mean black and white."""

from functools import lru_cache
from typing import NamedTuple

import numpy as np

LEVELS = 255
"""The level of white; black is level 0."""


class Stored(NamedTuple):
    """The extent of stored colour values, and the values that become black and white.

    ``low`` and ``high`` are the least and greatest values without outliers; see ``extent.py``.
    """

    least: float
    most: float
    black: float
    white: float
    low: float
    high: float


UNKNOWN = Stored(*[np.nan] * 6)


def to_bytes(samples: np.ndarray, black: float, white: float) -> np.ndarray:
    """Convert values to uint8, rounded to the nearest level and clipped to black and white."""
    if samples.dtype == np.uint8 and (black, white) == (0, LEVELS):
        return samples
    if samples.dtype in (np.uint8, np.uint16):
        return level_table(8 * samples.dtype.itemsize, black, white)[samples]
    return _levels(samples, black, white)


@lru_cache(maxsize=8)
def level_table(bits: int, black: float, white: float) -> np.ndarray:
    """Return the level of every unsigned value of ``bits`` bits, uint8 (2 ** bits,)."""
    return _levels(np.arange(2**bits), black, white)


def _levels(samples: np.ndarray, black: float, white: float) -> np.ndarray:
    scaled = (samples.astype(np.float64) - black) * (LEVELS / (white - black))
    return np.rint(scaled).clip(0, LEVELS).astype(np.uint8)
