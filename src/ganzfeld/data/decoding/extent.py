"""Between which values an image lies: all of them, and all but outliers such as hot pixels.

Outliers are few pixels far from all others: beyond the percentiles by more than half of what these lie apart.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ganzfeld.data.decoding.samples import LEVELS, UNKNOWN, Stored, to_bytes

_PERCENT = 0.1
"""Of the pixels at either end that may be outliers: as many as ``--range auto`` leaves out."""

_FEWEST = 4
"""Pixels that may be: one of the file becomes about so many when it is scaled."""

_APART = 0.5
"""Of the distance of the percentiles: by how much a value may lie beyond them without being an outlier."""

_MOST_LOOKED_AT = 2**16
Strips = Iterable[tuple[np.ndarray, np.ndarray | None]]
"""Parts of an image: colours (height, width) or (height, width, channels), and which are seen (None: all)."""


class Extent(NamedTuple):
    """The least and greatest of all values, and of those that are no outliers."""

    least: float
    most: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Look:
    """What ``levels_and_stored`` looks at.

    ``pixels`` is uint8 (height, width, channels) at the size of training, ``strips(masked)`` gives the image
    as it is stored, of ``num_pixels``, with or without what is seen of it. ``black`` and ``white`` are stored
    values, ``has_range`` says that they were given, ``is_see_through`` that the background is seen in places,
    ``is_clear`` that nothing else is. ``scale`` is how often a pixel of the file occurs when it is enlarged,
    ``known`` what is stored, where that is known already.
    """

    pixels: np.ndarray
    strips: Callable[[bool], Strips]
    num_pixels: int
    black: float
    white: float
    has_range: bool
    is_see_through: bool
    is_clear: bool
    scale: float
    known: Stored | None = None


def levels_and_stored(look: Look) -> tuple[tuple[int, int], Stored]:
    """Return the darkest and the brightest level but for outliers, and what is stored.

    Levels are those of what is seen of the image, without the background. What is stored is known only of
    images that use less than half of the levels, that are wholly transparent, or that have a range.
    """
    ends = int(look.pixels.min()), int(look.pixels.max())
    if look.is_clear:
        return ends, _stored(look, masked=False)
    if look.is_see_through:
        stored = _stored(look, masked=True)
        levels = _levels(stored)
    else:
        levels = usual_levels(look.pixels, look.scale)
        if not (look.has_range or uses_few_levels(levels)):
            return levels, UNKNOWN
        stored = _stored(look, masked=False)
    if levels[0] == levels[1] and not stored.low < stored.high:
        levels = (
            ends if not look.is_see_through else _levels(stored._replace(low=stored.least, high=stored.most))
        )
    return levels, stored if look.has_range or uses_few_levels(levels) else UNKNOWN


def uses_few_levels(levels: tuple[int, int]) -> bool:
    """Return whether levels lie so near each other that a range could spread them to twice as many."""
    return levels[1] - levels[0] <= LEVELS // 2


def usual_levels(pixels: np.ndarray, scale: float = 1.0) -> tuple[int, int]:
    """Return the least and greatest level but for outliers; ``pixels`` is uint8 (height, width, channels).

    ``scale`` is how often a pixel of the file occurs among them, where it was enlarged.
    """
    height, width, channels = pixels.shape
    counts = np.bincount(pixels.reshape(-1), minlength=LEVELS + 1)
    few = _num_outliers(height * width, scale) * channels
    reached = np.cumsum(counts)
    low, high = np.searchsorted(reached, few, "right"), np.searchsorted(reached, pixels.size - few)
    apart = max(int(_APART * (high - low)), 1)
    begin = max(int(low) - apart, 0)
    present = begin + np.flatnonzero(counts[begin : int(high) + apart + 1])
    return int(present[0]), int(present[-1])


def extent(strips: Strips, num_pixels: int, least_apart: float) -> Extent | None:
    """Return between which values an image of so many pixels lies; None where nothing of it is seen.

    ``least_apart`` is by how much values may differ at least without being outliers.
    """
    some, least, most, step = [], np.inf, -np.inf, max(1, num_pixels // _MOST_LOOKED_AT)
    for colours, seen in strips:
        channels = 1 if colours.ndim == 2 else colours.shape[2]
        values = colours.reshape(-1, channels)
        values = values if seen is None else values[seen.reshape(-1)]
        if len(values):
            least, most = min(least, float(values.min())), max(most, float(values.max()))
            some.append(values[::step].copy())  # a view would hold all of them
    if not some:
        return None
    values = np.concatenate(some).astype(np.float64)
    return Extent(least, most, *_usual(values, least, most, least_apart))


def _usual(values: np.ndarray, least: float, most: float, least_apart: float) -> tuple[float, float]:
    """Return the ends but for outliers of values (num, channels), among which ``least`` and ``most`` are."""
    few = _num_outliers(*values.shape[:1]) * values.shape[1]
    flat = values.reshape(-1)
    last = len(flat) - 1
    few = min(few, last // 4)
    parted = np.partition(flat, (few, last - few))
    low, high = float(parted[few]), float(parted[last - few])
    apart = max(_APART * (high - low), least_apart)
    inside = flat[(flat >= low - apart) & (flat <= high + apart)]
    low = least if least >= low - apart else float(inside.min())
    return low, most if most <= high + apart else float(inside.max())


def _num_outliers(num_pixels: int, scale: float = 1.0) -> int:
    """Return how many pixels at either end may be outliers: less than a quarter of all."""
    return min(
        max(int(num_pixels * _PERCENT / 100), math.ceil(_FEWEST * max(scale, 1))), (num_pixels - 1) // 4
    )


def _stored(look: Look, *, masked: bool) -> Stored:
    if look.known:
        return look.known
    one_level = (look.white - look.black) / LEVELS
    found = extent(look.strips(masked), look.num_pixels, one_level)
    found = found or extent(look.strips(False), look.num_pixels, one_level)
    assert found, "an image has at least one pixel"
    return Stored(found.least, found.most, look.black, look.white, found.low, found.high)


def _levels(stored: Stored) -> tuple[int, int]:
    low, high = to_bytes(np.array([stored.low, stored.high]), stored.black, stored.white).tolist()
    return low, high
