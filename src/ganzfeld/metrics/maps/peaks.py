"""Peak counts: local maxima by their height, which count sources, cells or haloes."""

import numpy as np

from ganzfeld.metrics.intervals import Figure, jackknife, plain
from ganzfeld.metrics.items import ItemComparison

BINS = 10
NAMES = {
    "peak_difference": (
        "difference of the numbers of local maxima in ten ranges of height, over the number of real ones,"
        " mean over channels: 0 is best"
    ),
}
IS_DISTANCE = True


def measure(comparison: ItemComparison) -> list[Figure]:
    """Measure the difference, with its error by the jackknife over tenths.

    The ranges hold equally many real maxima. Nothing is returned if there are none.
    """
    values, peaks = comparison.real[:, 1:-1, 1:-1], are_peaks(comparison.real)
    channels = range(comparison.real.shape[-1])
    heights = [values[..., channel][peaks[..., channel]] for channel in channels]
    if not all(map(len, heights)):
        return []
    edges = [np.quantile(each, np.linspace(0, 1, BINS + 1)[1:-1]) for each in heights]
    ours, theirs = (peak_counts(side, edges) for side in (comparison.generated, comparison.real))

    def compute(mine: np.ndarray, other: np.ndarray) -> list[float]:
        generated, real = ours[mine].mean(0), theirs[other].mean(0)
        return [float((np.abs(generated - real).sum(1) / np.maximum(real.sum(1), 1e-12)).mean())]

    (value,), (error,) = jackknife(compute, comparison.numbers, comparison.seed)
    return [plain("peak_difference", value, error, least=0.0)]


def are_peaks(maps: np.ndarray) -> np.ndarray:
    """Return which inner cells of maps (N, H, W, C) exceed all eight neighbours: (N, H - 2, W - 2, C)."""
    height, width = maps.shape[1:3]
    inner = maps[:, 1:-1, 1:-1]
    peaks = np.ones(inner.shape, bool)
    for down in range(3):
        for right in range(3):
            if (down, right) != (1, 1):
                peaks &= inner > maps[:, down : height - 2 + down, right : width - 2 + right]
    return peaks


def peak_counts(maps: np.ndarray, edges: list[np.ndarray]) -> np.ndarray:
    """Return the number of peaks of each map in every range of height, (N, channels, ranges)."""
    inner, peaks = maps[:, 1:-1, 1:-1], are_peaks(maps)
    counts = np.zeros((len(maps), len(edges), len(edges[0]) + 1))
    for channel, ends in enumerate(edges):
        rows, down, right = np.nonzero(peaks[..., channel])
        ranges = np.searchsorted(ends, inner[rows, down, right, channel], side="right")
        np.add.at(counts[:, channel], (rows, ranges), 1)
    return counts
