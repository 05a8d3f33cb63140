"""Distribution of values: the histogram of all values of a channel, wherever they lie."""

import numpy as np

from ganzfeld.metrics.intervals import Figure, jackknife, plain
from ganzfeld.metrics.items import ItemComparison

POINTS = 512
"""The quantiles of either side at which the two distributions are compared."""

_REACH = 14.0
"""In log odds: the outermost quantiles leave a millionth beyond them."""

NAMES = {
    "value_distance": (
        "Wasserstein-1 distance of the values, in standard deviations of the real ones, mean over channels:"
        " 0 is best"
    ),
}
IS_DISTANCE = True


def measure(comparison: ItemComparison) -> list[Figure]:
    """Measure the distance, with its error by the jackknife over tenths."""
    sides = (comparison.generated, comparison.real)
    spread = comparison.real.std((0, 1, 2), dtype=np.float64)
    channels = range(comparison.real.shape[-1])
    points = [_points([side[..., channel] for side in sides]) for channel in channels]
    shares = [[shares_below(side[..., channel], points[channel]) for side in sides] for channel in channels]

    def compute(mine: np.ndarray, theirs: np.ndarray) -> list[float]:
        distances = []
        for channel, (ours, others) in enumerate(shares):
            apart = np.abs(ours[mine].mean(0) - others[theirs].mean(0))
            area = float(np.trapezoid(apart, points[channel]))
            distances.append(area / (spread[channel] if spread[channel] > 0 else 1.0))
        return [float(np.mean(distances))]

    (value,), (error,) = jackknife(compute, comparison.numbers, comparison.seed)
    return [plain("value_distance", value, error, least=0.0)]


def _points(sides: list[np.ndarray]) -> np.ndarray:
    """Return the values at which the distributions are compared: quantiles of both, dense at both ends.

    Tails are as dense as the middle, since in many fields the rare bright values decide.
    """
    shares = np.concatenate([[0.0], 1 / (1 + np.exp(-np.linspace(-_REACH, _REACH, POINTS))), [1.0]])
    return np.unique(np.concatenate([np.quantile(side.astype(np.float64), shares) for side in sides]))


def shares_below(maps: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Return the share of values of every map (N, H, W) up to every point, (N, points)."""
    shares = np.empty((len(maps), len(points)))
    for values, row in zip(maps.reshape(len(maps), -1), shares, strict=True):
        places = np.searchsorted(points, values)  # the number of points below a value
        row[:] = np.bincount(places, minlength=len(points) + 1)[:-1].cumsum() / len(values)
    return shares
