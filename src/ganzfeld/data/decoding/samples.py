"""Stored sample values of an image: which of them become black and white, and the levels between."""

from functools import lru_cache
from typing import NamedTuple

import numpy as np

LEVELS = 255
"""The level of white; that of black is 0."""


class Stored(NamedTuple):
    """What an image stores: its least and greatest colour value, and those that become black and white.

    ``low`` and ``high`` are the least and the greatest but for outliers; see ``extent.py``.
    """

    least: float
    most: float
    black: float
    white: float
    low: float
    high: float


UNKNOWN = Stored(*[np.nan] * 6)


def to_bytes(samples: np.ndarray, black: float, white: float) -> np.ndarray:
    """Values as uint8, rounded to the nearest level; what lies beyond black or white becomes that."""
    if samples.dtype == np.uint8 and (black, white) == (0, LEVELS):
        return samples
    if samples.dtype in (np.uint8, np.uint16):
        return level_table(8 * samples.dtype.itemsize, black, white)[samples]
    return _levels(samples, black, white)


@lru_cache(maxsize=8)
def level_table(bits: int, black: float, white: float) -> np.ndarray:
    """The level of every unsigned value of so many bits, uint8 (2 ** bits,)."""
    return _levels(np.arange(2**bits), black, white)


def _levels(samples: np.ndarray, black: float, white: float) -> np.ndarray:
    scaled = (samples.astype(np.float64) - black) * (LEVELS / (white - black))
    return np.rint(scaled).clip(0, LEVELS).astype(np.uint8)
