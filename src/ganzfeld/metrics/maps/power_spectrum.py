"""Radial power spectrum: how much a field varies at every scale, which most fields look at first."""

import numpy as np

from ganzfeld.metrics.intervals import Figure, jackknife, plain
from ganzfeld.metrics.items import ItemComparison
from ganzfeld.metrics.measures.spectrum_distance import profiles

NAMES = {
    "power_distance": (
        "RMS difference of the logarithmic radial power spectra, in powers of ten, over frequencies and"
        " channels: 0 is best"
    ),
}
IS_DISTANCE = True
_TINY = 1e-12
"""As a share of the greatest power: what counts as no power at all."""


def measure(comparison: ItemComparison) -> list[Figure]:
    """Measure the distance, with its error by the jackknife over tenths."""
    ours, theirs = (spectra(side) for side in (comparison.generated, comparison.real))
    floor = max(_TINY * float(theirs.mean(0).max()), np.finfo(np.float64).tiny)

    def compute(mine: np.ndarray, other: np.ndarray) -> list[float]:
        levels = [np.log10(power.mean(0) + floor) for power in (ours[mine], theirs[other])]
        return [float(np.sqrt(np.mean((levels[0] - levels[1]) ** 2)))]

    (value,), (error,) = jackknife(compute, comparison.numbers, comparison.seed)
    return [plain("power_distance", value, error, least=0.0)]


def spectra(maps: np.ndarray) -> np.ndarray:
    """Return the power of maps (N, H, W, channels) by frequency, (N, channels, F), from coarse to fine.

    Every channel has its own spectrum, averaged over directions; see ``spectrum_distance.profiles``.
    """
    values = maps.astype(np.float64) * 255  # profiles() expects levels, and divides by 255
    return np.stack([profiles(values[..., channel : channel + 1]) for channel in range(values.shape[-1])], 1)
