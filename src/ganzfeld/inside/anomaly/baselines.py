"""What a detector must be compared with: methods that know the same normal images, and no generator."""

from dataclasses import dataclass

import numpy as np

from ganzfeld.inside.anomaly.calibration import Calibrated, Scorer, out_of_fold, threshold_of
from ganzfeld.inside.anomaly.residual import fit_usual

SLICE = 64
"""The number of images that are compared at once with all normal ones."""

NAMES = {"pca": "PCA, the same without the generator", "nearest": "nearest normal image"}


@dataclass(frozen=True)
class Baseline(Calibrated):
    """The scores of another method, calibrated like those of the detector."""

    name: str


def baselines_of(images: np.ndarray, normal: np.ndarray, rate: float) -> tuple[Baseline, ...]:
    """Score uint8 images (N, H, W, C) by every baseline, at the same rate of false alarms."""
    values, known = images.astype(np.float32), normal.astype(np.float32)
    rows = {"pca": principal_components(values, known), "nearest": nearest_normal(values, known)}
    return tuple(Baseline(*scores, threshold_of(scores[1], rate), name) for name, scores in rows.items())


def principal_components(images: np.ndarray, normal: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return scores of images and of normal ones, both (N, H, W, C), by what principal components leave.

    Everything is as in the detector, except that nothing is taken off by a generator first. So a difference
    between the two is what the generator adds.
    """
    usual, _, normal_scores = fit_usual(normal)
    return usual.scores(usual.ratios(images)), normal_scores


def nearest_normal(images: np.ndarray, normal: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return scores of images and of normal ones, both (N, H, W, C), by the nearest other normal image.

    The score is the root mean square difference in levels.
    """
    flat, known = images.reshape(len(images), -1), normal.reshape(len(normal), -1)
    return _nearest(known)(flat), out_of_fold(known, _nearest)


def _nearest(known: np.ndarray) -> Scorer:
    """Return the function from images (N, P) to their distances (N,) from the nearest known one."""
    lengths = np.square(known).sum(1, dtype=np.float64)

    def distances(images: np.ndarray) -> np.ndarray:
        parts = []
        for first in range(0, len(images), SLICE):
            part = images[first : first + SLICE]
            squares = np.square(part).sum(1, dtype=np.float64)[:, None] + lengths - 2.0 * (part @ known.T)
            parts.append(np.sqrt(np.maximum(squares.min(1), 0) / known.shape[1]))
        return np.concatenate(parts)

    return distances
