"""Fréchet distance: how far apart two normal distributions with the features' means and covariances are.

Biased upwards at small counts, unlike the kernel distance, and comparable between equal counts only.
"""

import torch
from torch import Tensor

from ganzfeld.metrics.comparison import Comparison
from ganzfeld.metrics.intervals import Figure, jackknife, plain

NAMES = {
    "frechet_distance": "squared Fréchet distance of normal distributions: 0 is best; grows as counts shrink",
}
FEATURES = True


def measure(comparison: Comparison) -> list[Figure]:
    """The distance; its error is found by leaving out a tenth at a time."""
    x, y = comparison.generated.features.double(), comparison.real.features.double()
    (value,), (error,) = jackknife(
        lambda mine, theirs: [frechet_distance(x[mine], y[theirs])], (len(x), len(y)), comparison.seed
    )
    return [plain("frechet_distance", value, error, least=0.0)]


def frechet_distance(generated: Tensor, real: Tensor) -> float:
    """|m - n|^2 + tr(C + D - 2 (C D)^(1/2)) of the features' means m, n and unbiased covariances C, D.

    From features (N, d) and (M, d), in float64. The root is not taken of a matrix: with C = A'A and D = B'B,
    the eigenvalues of C D are the squared singular values of A B', which has no more rows than there are
    images, and no digits are lost to those that are 0. Source: Dowson and Landau 1982.
    """
    x, y = generated.double(), real.double()
    means = (x.mean(0) - y.mean(0)).square().sum()
    a, b = _root_of_covariance(x), _root_of_covariance(y)
    overlap = torch.linalg.svdvals(a @ b.T).sum()
    return float((means + a.square().sum() + b.square().sum() - 2 * overlap).clamp(min=0))


def _root_of_covariance(x: Tensor) -> Tensor:
    """A matrix A with at most d rows and A'A the unbiased covariance."""
    centred = (x - x.mean(0)) / (len(x) - 1) ** 0.5
    return torch.linalg.qr(centred, mode="r").R if len(x) > x.shape[1] else centred
