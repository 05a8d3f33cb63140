"""Minkowski functionals of the regions above a threshold: area, length of the border, Euler characteristic.

They see the shape of structures, which a power spectrum does not. Source: Mecke, Buchert and Wagner 1994.
"""

import numpy as np

from ganzfeld.metrics.intervals import Figure, jackknife, plain
from ganzfeld.metrics.items import ItemComparison

SHARES = np.linspace(0.05, 0.95, 10)
"""The shares of real values that lie below the thresholds."""

NAMES = {
    "minkowski_area": "mean difference of the area above ten thresholds, as a share of the map: 0 is best",
    "minkowski_border": (
        "mean difference of the length of the border of these areas, as a share of the greatest: 0 is best"
    ),
    "minkowski_euler": (
        "mean difference of their Euler characteristic (pieces minus holes), as a share of the greatest:"
        " 0 is best"
    ),
}
IS_DISTANCE = True


def measure(comparison: ItemComparison) -> list[Figure]:
    """Measure the three differences, with their errors by the jackknife over tenths."""
    thresholds = np.quantile(comparison.real, SHARES, axis=(0, 1, 2)).T
    ours, theirs = (
        np.stack([functionals(side, thresholds[:, at]) for at in range(len(SHARES))], 1)
        for side in (comparison.generated, comparison.real)
    )

    def compute(mine: np.ndarray, other: np.ndarray) -> list[float]:
        generated, real = ours[mine].mean(0), theirs[other].mean(0)
        apart = np.abs(generated - real).mean(0)
        greatest = np.abs(real).max(0)
        greatest[:, 0] = 1.0  # an area is a share already
        return (apart / np.where(greatest > 0, greatest, 1.0)).mean(0).tolist()

    values, errors = jackknife(compute, comparison.numbers, comparison.seed)
    return [
        plain(name, value, error, least=0.0) for name, value, error in zip(NAMES, values, errors, strict=True)
    ]


def functionals(maps: np.ndarray, threshold: np.ndarray) -> np.ndarray:
    """Return area, border and Euler characteristic per cell, (N, channels, 3), of the region above it.

    ``maps`` are (N, H, W, channels), ``threshold`` (channels,). A region consists of square cells that are
    connected along their sides; the rim of the map is no border. The characteristic is cells minus shared
    sides plus shared corners, all of whose four cells belong to the region.
    """
    above = maps > threshold
    num = above.shape[1] * above.shape[2]
    down, right = above[:, 1:] & above[:, :-1], above[:, :, 1:] & above[:, :, :-1]
    corners = down[:, :, 1:] & down[:, :, :-1]
    border = (above[:, 1:] ^ above[:, :-1]).sum((1, 2)) + (above[:, :, 1:] ^ above[:, :, :-1]).sum((1, 2))
    area = above.sum((1, 2))
    euler = area - down.sum((1, 2)) - right.sum((1, 2)) + corners.sum((1, 2))
    return np.stack([area, border, euler], -1) / num
