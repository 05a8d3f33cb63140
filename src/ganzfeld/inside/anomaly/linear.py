"""The directions in which images, or what is left of them, usually vary (principal components)."""

from dataclasses import dataclass

import numpy as np

SHARE = 4
"""Normal images per direction that is fitted to them."""
MOST_DIRECTIONS = 128
NEGLIGIBLE = 1e-6
"""Directions whose variance is below this share of the largest are left out: rounding points there."""


@dataclass(frozen=True)
class Linear:
    """A mean (P,) and orthonormal directions (K, P), float32."""

    mean: np.ndarray
    directions: np.ndarray

    def remainder(self, values: np.ndarray) -> np.ndarray:
        """Return what the mean and the directions do not explain of values (N, P), float32 (N, P)."""
        centred = values - self.mean
        return centred - (centred @ self.directions.T) @ self.directions


def num_directions(num: int) -> int:
    """Return the number of directions that are fitted to ``num`` images."""
    return min(MOST_DIRECTIONS, num // SHARE)


def fit_linear(values: np.ndarray, num: int) -> Linear:
    """Fit at most ``num`` directions to values (N, P): those in which they vary the most.

    They are computed from the products of all pairs of rows, since there are fewer images than pixels.
    """
    mean = values.mean(0, dtype=np.float64).astype(np.float32)
    centred = values - mean
    variances, vectors = np.linalg.eigh((centred @ centred.T).astype(np.float64))
    variances, vectors = variances[::-1][:num], vectors[:, ::-1][:, :num]
    kept = variances > NEGLIGIBLE * max(float(variances.max(initial=0.0)), 1e-12)
    weights = (vectors[:, kept] / np.sqrt(variances[kept])).astype(np.float32)
    return Linear(mean, weights.T @ centred)
