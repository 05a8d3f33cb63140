"""Find the least and greatest values of an image, with and without outliers such as hot pixels.

Outliers are a few pixels far from all others: they lie beyond the percentiles by more than half of the
distance between these percentiles.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ganzfeld.data.decoding.samples import LEVELS, UNKNOWN, Stored, to_bytes

_PERCENT = 0.1
"""Percentage of pixels at either end that may be outliers: as many as ``--range auto`` leaves out."""

_FEWEST = 4
"""At least this many pixels may be outliers: one pixel of the file becomes about four when it is scaled."""

_APART = 0.5
"""How far a value may lie beyond a percentile without being an outlier, relative to their distance."""

_MOST_SAMPLED = 2**16
Strips = Iterable[tuple[np.ndarray, np.ndarray | None]]
"""Parts of an image: colours (height, width) or (height, width, channels), and a mask (None: all visible)."""


class Extent(NamedTuple):
    """The least and greatest values, and the same without outliers (``low`` and ``high``)."""

    least: float
    most: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class ImageValues:
    """What ``levels_and_stored`` needs to know about an image.

    - ``pixels``: uint8 (height, width, channels) at the training size.
    - ``strips(masked)``: the stored image in parts, ``num_pixels`` in all, each with a mask of its visible
      pixels if ``masked``.
    - ``black``, ``white``: the stored values that mean these. ``has_range``: the user gave them.
    - ``is_see_through``: the background shows in places. ``is_clear``: nothing but the background shows.
    - ``scale``: how many pixels each pixel of the file becomes if the image is enlarged.
    - ``known``: the stored extent, if already known.
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


def levels_and_stored(image: ImageValues) -> tuple[tuple[int, int], Stored]:
    """Return the darkest and brightest levels without outliers, and the stored extent.

    The levels are those of the visible parts of the image, without the background. The stored extent is
    known only if the image uses less than half of the levels, is fully transparent, or has a range.
    """
    ends = int(image.pixels.min()), int(image.pixels.max())
    if image.is_clear:
        return ends, _stored(image, masked=False)
    if image.is_see_through:
        stored = _stored(image, masked=True)
        levels = _levels(stored)
    else:
        levels = usual_levels(image.pixels, image.scale)
        if not (image.has_range or uses_few_levels(levels)):
            return levels, UNKNOWN
        stored = _stored(image, masked=False)
    if levels[0] == levels[1] and not stored.low < stored.high:
        levels = (
            ends if not image.is_see_through else _levels(stored._replace(low=stored.least, high=stored.most))
        )
    return levels, stored if image.has_range or uses_few_levels(levels) else UNKNOWN


def uses_few_levels(levels: tuple[int, int]) -> bool:
    """Return whether the levels are so close together that a range could spread them to twice as many."""
    return levels[1] - levels[0] <= LEVELS // 2


def usual_levels(pixels: np.ndarray, scale: float = 1.0) -> tuple[int, int]:
    """Return the least and greatest level without outliers; ``pixels`` is uint8 (height, width, channels).

    ``scale`` is how many of these pixels each pixel of the file became, if the image was enlarged.
    """
    height, width, channels = pixels.shape
    counts = np.bincount(pixels.reshape(-1), minlength=LEVELS + 1)
    few = _num_outliers(height * width, scale) * channels
    cumulative = np.cumsum(counts)
    low, high = np.searchsorted(cumulative, few, "right"), np.searchsorted(cumulative, pixels.size - few)
    apart = max(int(_APART * (high - low)), 1)
    begin = max(int(low) - apart, 0)
    present = begin + np.flatnonzero(counts[begin : int(high) + apart + 1])
    return int(present[0]), int(present[-1])


def extent(strips: Strips, num_pixels: int, least_apart: float) -> Extent | None:
    """Return the extent of an image of ``num_pixels`` pixels; None if no pixel is visible.

    Values that lie less than ``least_apart`` beyond the others are never outliers.
    """
    samples, least, most, step = [], np.inf, -np.inf, max(1, num_pixels // _MOST_SAMPLED)
    for colours, visible in strips:
        channels = 1 if colours.ndim == 2 else colours.shape[2]
        values = colours.reshape(-1, channels)
        values = values if visible is None else values[visible.reshape(-1)]
        if len(values):
            least, most = min(least, float(values.min())), max(most, float(values.max()))
            samples.append(values[::step].copy())  # a view would keep the whole strip in memory
    if not samples:
        return None
    values = np.concatenate(samples).astype(np.float64)
    return Extent(least, most, *_without_outliers(values, least, most, least_apart))


def _without_outliers(
    values: np.ndarray, least: float, most: float, least_apart: float
) -> tuple[float, float]:
    """Return the ends of ``values`` (num, channels) without outliers.

    ``least`` and ``most`` are the ends of all values of the image, of which ``values`` is a sample.
    """
    few = _num_outliers(*values.shape[:1]) * values.shape[1]
    flat = values.reshape(-1)
    last = len(flat) - 1
    few = min(few, last // 4)
    partitioned = np.partition(flat, (few, last - few))
    low, high = float(partitioned[few]), float(partitioned[last - few])
    apart = max(_APART * (high - low), least_apart)
    inside = flat[(flat >= low - apart) & (flat <= high + apart)]
    low = least if least >= low - apart else float(inside.min())
    return low, most if most <= high + apart else float(inside.max())


def _num_outliers(num_pixels: int, scale: float = 1.0) -> int:
    """Return how many pixels at either end may be outliers: fewer than a quarter of all."""
    return min(
        max(int(num_pixels * _PERCENT / 100), math.ceil(_FEWEST * max(scale, 1))), (num_pixels - 1) // 4
    )


def _stored(image: ImageValues, *, masked: bool) -> Stored:
    if image.known:
        return image.known
    one_level = (image.white - image.black) / LEVELS
    values = extent(image.strips(masked), image.num_pixels, one_level)
    values = values or extent(image.strips(False), image.num_pixels, one_level)
    assert values, "an image has at least one pixel"
    return Stored(values.least, values.most, image.black, image.white, values.low, values.high)


def _levels(stored: Stored) -> tuple[int, int]:
    low, high = to_bytes(np.array([stored.low, stored.high]), stored.black, stored.white).tolist()
    return low, high
