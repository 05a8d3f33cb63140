"""A Gaussian random field with the mean, the power spectrum and the channel correlations of the data.

It is what a power spectrum alone can know of a map, and it has no structures.
"""

import numpy as np

KIND = "map"
WORDS = "Gaussian random field"
CHUNK = 64
"""Maps at once, which bounds the memory."""


def sample(training: np.ndarray, num: int, seed: int, letters: str = "") -> np.ndarray:
    """Fit the field to maps (N, H, W, channels) and draw ``num`` others.

    Channels have one mean each, and a covariance with each other at every frequency. Whole numbers are
    rounded, and clipped to those of their type.
    """
    size, num_channels = training.shape[1:3], training.shape[3]
    mean = training.mean((0, 1, 2), dtype=np.float64)
    covariances = np.zeros((*size, num_channels, num_channels), np.complex128)
    for begin in range(0, len(training), CHUNK):
        waves = np.fft.fft2(training[begin : begin + CHUNK] - mean, axes=(1, 2))
        covariances += np.einsum("nhwc,nhwd->hwcd", waves, waves.conj())
    root = _root(covariances / len(training))
    random, fields = np.random.default_rng(seed), np.empty((num, *training.shape[1:]), training.dtype)
    for begin in range(0, num, CHUNK):
        part = fields[begin : begin + CHUNK]
        spectrum = np.fft.fft2(random.standard_normal(part.shape), axes=(1, 2)) / np.sqrt(size[0] * size[1])
        values = np.fft.ifft2(np.einsum("hwcd,nhwd->nhwc", root, spectrum), axes=(1, 2)).real + mean
        part[:] = _as_type(values, training.dtype)
    return fields


def _as_type(values: np.ndarray, dtype: np.dtype) -> np.ndarray:
    if dtype.kind != "u":
        return values
    limits = np.iinfo(dtype)
    return np.rint(values).clip(limits.min, limits.max)


def _root(covariances: np.ndarray) -> np.ndarray:
    """Return Hermitian roots of Hermitian matrices (..., channels, channels) without negative eigenvalues."""
    values, vectors = np.linalg.eigh(covariances)
    return (vectors * np.sqrt(np.clip(values, 0, None))[..., None, :]) @ np.conj(vectors.swapaxes(-1, -2))
