"""Spectrum distance: compares power spectra, in which checkerboards, blur and grain show."""

import numpy as np

from ganzfeld.metrics.comparison import Comparison
from ganzfeld.metrics.intervals import Figure, jackknife, plain

FLOOR = 1e-8
"""Added to every power; far below what rounding to 256 levels adds."""
NAMES = {
    "spectrum_distance": "RMS difference of the logarithmic power spectra, in powers of ten: 0 is best",
}
FEATURES = False


def measure(comparison: Comparison) -> list[Figure]:
    """Measure the distance, with its error by the jackknife over tenths."""
    x, y = profiles(comparison.generated.images), profiles(comparison.real.images)
    (value,), (error,) = jackknife(
        lambda mine, theirs: [spectrum_distance(x[mine], y[theirs])], (len(x), len(y)), comparison.seed
    )
    return [plain("spectrum_distance", value, error, least=0.0)]


def spectrum_distance(x: np.ndarray, y: np.ndarray) -> float:
    """Return the RMS of log10 of the ratio of the mean powers, from power by frequency (N, F) and (M, F)."""
    levels = [np.log10(power.mean(0) + FLOOR) for power in (x, y)]
    return float(np.sqrt(np.mean((levels[0] - levels[1]) ** 2)))


def profiles(images: np.ndarray) -> np.ndarray:
    """Return the power of each image by frequency, (N, F), averaged over all directions, from coarse to fine.

    The spectrum is that of the mean over channels, with values from 0 to 1. Frequency 0, the brightness, and
    the corners beyond half a cycle per pixel are left out. Source: Durall et al. 2020, eq. 2.
    """
    height, width = images.shape[1:3]
    grey = images.mean(-1) / 255
    power = np.abs(np.fft.fft2(grey)) ** 2 / (height * width)
    radius = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width)[None])
    band = np.rint(radius * min(height, width)).astype(int)
    last = min(height, width) // 2
    return np.stack([power[:, band == number].mean(1) for number in range(1, last + 1)], 1)
