"""Kernel distance: an unbiased estimate of how far two sets of images are apart, suitable for small sets."""

import math

import torch
from torch import Tensor

from ganzfeld.errors import UsageError
from ganzfeld.metrics.comparison import Comparison
from ganzfeld.metrics.intervals import NORMAL_95, Figure, plain

NAMES = {
    "kernel_distance": "MMD^2 of the features with a cubic kernel: 0 is best; an estimate may fall below 0",
}
FEATURES = True


def measure(comparison: Comparison) -> list[Figure]:
    """Measure the distance, with its error by the leave-one-out jackknife."""
    value, error = estimate(comparison.generated.features, comparison.real.features)
    return [plain("kernel_distance", value, error, z=NORMAL_95)]


def kernel_distance(generated: Tensor, real: Tensor) -> float:
    """Compute the unbiased MMD^2 with the kernel k(x, y) = (x.y / d + 1)^3 of features (N, d) and (M, d).

    The result, in float64, is about 0 for two sets from one distribution (it may be negative) and larger for
    sets further apart. Raises ``UsageError`` for fewer than two images on either side. Source: Binkowski et
    al. 2018, eq. 4; Gretton et al. 2012, lemma 6.
    """
    if min(len(generated), len(real)) < 2:
        raise UsageError(f"a distance needs two images on each side, not {len(generated)} and {len(real)}")
    x, y = generated.double(), real.double()
    return float(_mean_of_pairs(_kernel(x, x)) + _mean_of_pairs(_kernel(y, y)) - 2 * _kernel(x, y).mean())


def estimate(generated: Tensor, real: Tensor) -> tuple[float, float]:
    """Compute the kernel distance and its standard error, by the jackknife over the images of both sides.

    Raises ``UsageError`` for fewer than three images on either side.
    """
    if min(len(generated), len(real)) < 3:
        raise UsageError(f"an error needs three images on each side, not {len(generated)} and {len(real)}")
    x, y = generated.double(), real.double()
    of_x, of_y, between = _kernel(x, x), _kernel(y, y), _kernel(x, y)
    value = _mean_of_pairs(of_x) + _mean_of_pairs(of_y) - 2 * between.mean()
    variance = _variance(of_x, between.sum(1), len(y)) + _variance(of_y, between.sum(0), len(x))
    return float(value), math.sqrt(variance)


def _variance(own: Tensor, to_others: Tensor, num_others: int) -> float:
    """Return one side's part of the variance, leaving out each image once by means of the sums."""
    num = len(own)
    rows = own.sum(1) - own.diagonal()
    pairs = (rows.sum() - 2 * rows) / ((num - 1) * (num - 2))
    crossed = (to_others.sum() - to_others) / ((num - 1) * num_others)
    without = pairs - 2 * crossed
    return float((num - 1) / num * (without - without.mean()).square().sum())


def _mean_of_pairs(kernel: Tensor) -> Tensor:
    """Return the mean of the kernel over all pairs of different images of one set."""
    return (kernel.sum() - kernel.trace()) / (len(kernel) * (len(kernel) - 1))


def _kernel(x: Tensor, y: Tensor) -> Tensor:
    return torch.pow(x @ y.T / x.shape[1] + 1, 3)
