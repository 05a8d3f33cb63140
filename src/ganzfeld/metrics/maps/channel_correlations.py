"""Correlations of channels, such as of two stains or two bands of a telescope."""

import numpy as np

from ganzfeld.metrics.intervals import Figure, jackknife, plain
from ganzfeld.metrics.items import ItemComparison

NAMES = {
    "correlation_difference": (
        "mean difference of the correlations between channels, 0 to 2: 0 is best; with several channels only"
    ),
}
IS_DISTANCE = True


def measure(comparison: ItemComparison) -> list[Figure]:
    """Measure the difference, with its error by the jackknife over tenths; nothing for one channel."""
    channels = comparison.real.shape[-1]
    if channels < 2:
        return []
    centre = comparison.real.mean((0, 1, 2), dtype=np.float64)
    ours, theirs = (_sums(side - centre) for side in (comparison.generated, comparison.real))
    pairs = np.triu_indices(channels, 1)

    def compute(mine: np.ndarray, other: np.ndarray) -> list[float]:
        generated, real = (
            correlations(*(part[chosen].mean(0) for part in sums))
            for sums, chosen in ((ours, mine), (theirs, other))
        )
        return [float(np.abs(generated - real)[pairs].mean())]

    (value,), (error,) = jackknife(compute, comparison.numbers, comparison.seed)
    return [plain("correlation_difference", value, error, least=0.0)]


def _sums(maps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the means of values (N, channels) and of their products (N, channels, channels) per map."""
    values = maps.reshape(len(maps), -1, maps.shape[-1])
    return values.mean(1), np.einsum("npc,npd->ncd", values, values) / values.shape[1]


def correlations(means: np.ndarray, products: np.ndarray) -> np.ndarray:
    """Return Pearson's correlations (channels, channels); 0 where a channel does not vary."""
    covariances = products - np.outer(means, means)
    spread = np.sqrt(np.clip(np.diag(covariances), 0, None))
    scale = np.outer(spread, spread)
    return np.divide(covariances, scale, out=np.zeros_like(covariances), where=scale > 0)
