"""Grids of what a discriminator has learned: its filters, and strongest images with guided gradients."""

import numpy as np

from ganzfeld.inside.guided import Filters, StrongestImages
from ganzfeld.inside.sheets import labelled_rows
from ganzfeld.model import grid

FILTER_PIXELS = 32
"""The least size of a filter in a grid."""
GREY = 127.5


def filter_sheet(filters: Filters) -> np.ndarray:
    """Return the filters in a grid, uint8 (height, width, C), each with its own scale: grey is 0."""
    weights = filters.weights
    scale = max(1, -(-FILTER_PIXELS // max(weights.shape[1:3])))
    return grid(_shown(weights).repeat(scale, 1).repeat(scale, 2))


def strongest_sheet(result: StrongestImages) -> np.ndarray:
    """Return two rows per unit, uint8 (height, width, 3): its strongest images and their guided gradients.

    The units of the discriminator come first, then those of the random one.
    """
    names, rows = [], []
    for kind, side in (("unit", result.trained), ("random", result.random)):
        for index, unit in enumerate(side.units):
            names += [f"{kind} {unit}", "guided"]
            rows += [side.images[index], _shown(side.gradients[index])]
    header = [str(number) for number in range(1, rows[0].shape[0] + 1)]
    return labelled_rows(names, np.stack(rows), header)


def drop_sheet(images: np.ndarray) -> np.ndarray:
    """Return images (3, n, H, W, C) in three rows: before, without some maps, and without random maps."""
    columns = images.shape[1]
    header = [str(number) for number in range(1, columns + 1)]
    return labelled_rows(["before", "dropped", "random"], images, header)


def _shown(values: np.ndarray) -> np.ndarray:
    """Return signed values (n, H, W, C) as uint8: 0 is grey, the largest size of each is black or white."""
    largest = np.abs(values).reshape(len(values), -1).max(1).clip(1e-12)
    return np.round(GREY + GREY * values / largest[:, None, None, None]).astype(np.uint8)
