"""A Gaussian random field with the mean, the power spectrum and the channel correlations of the data.

It is what a power spectrum alone can know of a map, and it has no structures.
"""

import numpy as np

KIND = "map"
WORDS = "Gaussian random field"


def sample(training: np.ndarray, num: int, seed: int, letters: str = "") -> np.ndarray:
    """Fit the field to maps (N, H, W, channels) and draw ``num`` others.

    Channels have one mean each, and a covariance with each other at every frequency. Whole numbers are
    rounded, and clipped to those of their type.
    """
    maps = training.astype(np.float64)
    mean = maps.mean((0, 1, 2))
    waves = np.fft.fft2(maps - mean, axes=(1, 2))
    covariances = np.einsum("nhwc,nhwd->hwcd", waves, waves.conj()) / len(maps)
    root = _root(covariances)
    noise = np.random.default_rng(seed).standard_normal((num, *maps.shape[1:]))
    spectrum = np.fft.fft2(noise, axes=(1, 2)) / np.sqrt(maps.shape[1] * maps.shape[2])
    fields = np.fft.ifft2(np.einsum("hwcd,nhwd->nhwc", root, spectrum), axes=(1, 2)).real + mean
    if training.dtype.kind != "u":
        return fields.astype(training.dtype)
    limits = np.iinfo(training.dtype)
    return np.rint(fields).clip(limits.min, limits.max).astype(training.dtype)


def _root(covariances: np.ndarray) -> np.ndarray:
    """Return Hermitian roots of Hermitian matrices (..., channels, channels) without negative eigenvalues."""
    values, vectors = np.linalg.eigh(covariances)
    return (vectors * np.sqrt(np.clip(values, 0, None))[..., None, :]) @ np.conj(vectors.swapaxes(-1, -2))
