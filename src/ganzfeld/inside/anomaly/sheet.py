"""A grid of images with their reconstructions and heat maps: what a person looks at to judge scores."""

from typing import TYPE_CHECKING

import numpy as np

from ganzfeld.inside.sheets import labelled_rows

if TYPE_CHECKING:
    from ganzfeld.inside.anomaly.detection import Anomalies

MOST_ROWS = 24
LEAST_WIDTH = 64
"""Smaller images are shown larger, so that the words above them have room."""


def anomaly_sheet(result: "Anomalies") -> np.ndarray:
    """Return rows of image, reconstruction and heat map, uint8 (height, width, 3), the highest score first.

    Of more than 24 images, those of the highest scores are shown.
    """
    order = np.argsort(-result.scores, kind="stable")[:MOST_ROWS]
    images, made = (in_colour(part[order]) for part in (result.images, result.reconstructions))
    rows = np.stack([images, made, coloured(result.maps[order], result.map_threshold)], 1)
    enlarged = -(-LEAST_WIDTH // rows.shape[3])
    rows = rows.repeat(enlarged, 2).repeat(enlarged, 3)
    names = [
        f"{score:.1f} {'flagged' if is_flagged else ''}".strip()
        for score, is_flagged in zip(
            result.scores[order].tolist(), result.is_flagged[order].tolist(), strict=True
        )
    ]
    return labelled_rows(names, rows, ["image", "made", "unlike"])


def in_colour(images: np.ndarray) -> np.ndarray:
    """Return grey or colour images (N, H, W, C) as colour images (N, H, W, 3)."""
    return np.broadcast_to(images, (*images.shape[:3], 3))


def coloured(maps: np.ndarray, threshold: float) -> np.ndarray:
    """Return heat maps (N, H, W) in colour, uint8 (N, H, W, 3).

    They are black at 0, red at the threshold, yellow at twice, and white from three times that.
    """
    share = (maps / max(threshold, 1e-12))[..., None]
    return (255 * (share - np.arange(3)).clip(0, 1)).round().astype(np.uint8)
