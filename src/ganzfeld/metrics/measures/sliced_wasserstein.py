"""Sliced Wasserstein distance of pixels, which sees what a feature network overlooks: colour and brightness.

Images are averaged down to at most 32 px, taken as vectors of values from 0 to 1, and projected onto 256
random directions. Along each direction the distance of the two sets is exact.
"""

import numpy as np
import torch
from torch import Tensor, nn

from ganzfeld.metrics.comparison import Comparison
from ganzfeld.metrics.intervals import Figure, jackknife, plain

LARGEST_PX = 32
DIRECTIONS = 256
NAMES = {
    "sliced_wasserstein": "mean Wasserstein-1 distance of pixels along random directions: 0 is best",
}
FEATURES = False


def measure(comparison: Comparison) -> list[Figure]:
    """Measure the distance, with its error by the jackknife over tenths, along the same directions."""
    x, y = _vectors(comparison.generated.images), _vectors(comparison.real.images)
    noise = torch.Generator().manual_seed(comparison.seed)
    directions = torch.randn(x.shape[1], DIRECTIONS, generator=noise, dtype=torch.float64)
    directions /= directions.norm(dim=0)
    x, y = x @ directions, y @ directions
    (value,), (error,) = jackknife(
        lambda mine, theirs: [float(distances_of_lines(x[mine], y[theirs]).mean())],
        (len(x), len(y)),
        comparison.seed,
    )
    return [plain("sliced_wasserstein", value, error, least=0.0)]


def distances_of_lines(x: Tensor, y: Tensor) -> Tensor:
    """Return the Wasserstein-1 distances (D,) of points x (N, D) and y (M, D) along each of D lines.

    They are the integrals of |F^-1 - G^-1|, which changes at multiples of 1/N and of 1/M.
    """
    x, y = x.sort(dim=0).values, y.sort(dim=0).values
    steps = np.union1d(np.arange(len(x) + 1) * len(y), np.arange(len(y) + 1) * len(x))
    widths = torch.from_numpy(np.diff(steps) / (len(x) * len(y)))
    apart = x[steps[:-1] // len(y)] - y[steps[:-1] // len(x)]
    return (widths[:, None] * apart.abs()).sum(0)


def _vectors(images: np.ndarray) -> Tensor:
    values = torch.from_numpy(images).movedim(-1, 1).double() / 255
    height, width = (min(LARGEST_PX, side) for side in values.shape[2:])
    return nn.functional.adaptive_avg_pool2d(values, (height, width)).flatten(1)
