"""Spectrum distance: checkerboards, blur and grain, which show in the power of coarse and fine structure."""

import numpy as np

from ganzfeld.metrics.comparison import Comparison
from ganzfeld.metrics.intervals import Figure, jackknife, plain

FLOOR = 1e-8
"""Of the power; far below what rounding to 256 levels adds."""
NAMES = {
    "spectrum_distance": "RMS difference of the logarithmic power spectra, in powers of ten: 0 is best",
}
FEATURES = False


def measure(comparison: Comparison) -> list[Figure]:
    """The distance; its error is found by leaving out a tenth at a time."""
    x, y = profiles(comparison.generated.images), profiles(comparison.real.images)
    (value,), (error,) = jackknife(
        lambda mine, theirs: [spectrum_distance(x[mine], y[theirs])], (len(x), len(y)), comparison.seed
    )
    return [plain("spectrum_distance", value, error, least=0.0)]


def spectrum_distance(x: np.ndarray, y: np.ndarray) -> float:
    """From power by frequency, (N, F) and (M, F): the root of the mean square of log10 of the ratio."""
    levels = [np.log10(each.mean(0) + FLOOR) for each in (x, y)]
    return float(np.sqrt(np.mean((levels[0] - levels[1]) ** 2)))


def profiles(images: np.ndarray) -> np.ndarray:
    """Power of each image by frequency, (N, F): the mean over all directions, from coarse to fine.

    Of the mean over channels, in values from 0 to 1; the brightness itself (frequency 0) and the corners
    beyond half a cycle a pixel are left out. Source: Durall et al. 2020, eq. 2.
    """
    height, width = images.shape[1:3]
    grey = images.mean(-1) / 255
    power = np.abs(np.fft.fft2(grey)) ** 2 / (height * width)
    radius = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width)[None])
    band = np.rint(radius * min(height, width)).astype(int)
    last = min(height, width) // 2
    return np.stack([power[:, band == number].mean(1) for number in range(1, last + 1)], 1)
