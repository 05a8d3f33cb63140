"""Fréchet distance of two normal distributions that have the means and covariances of the features.

Unlike the kernel distance it is biased upwards for few images, and only comparable for equal numbers of
images.
"""

import torch
from torch import Tensor

from ganzfeld.metrics.comparison import Comparison
from ganzfeld.metrics.intervals import Figure, jackknife, plain

NAMES = {
    "frechet_distance": "squared Fréchet distance of two normal distributions: 0 is best; "
    "grows with fewer images",
}
FEATURES = True


def measure(comparison: Comparison) -> list[Figure]:
    """Measure the distance, with its error by the jackknife over tenths."""
    x, y = comparison.generated.features.double(), comparison.real.features.double()
    (value,), (error,) = jackknife(
        lambda mine, theirs: [frechet_distance(x[mine], y[theirs])], (len(x), len(y)), comparison.seed
    )
    return [plain("frechet_distance", value, error, least=0.0)]


def frechet_distance(generated: Tensor, real: Tensor) -> float:
    """Return |m - n|^2 + tr(C + D - 2 (C D)^(1/2)) of the means m, n and unbiased covariances C, D.

    ``generated`` (N, d) and ``real`` (M, d) are features; the computation is in float64. No matrix root is
    needed: with C = A'A and D = B'B, the eigenvalues of C D are the squared singular values of A B'. That
    matrix has at most as many rows as there are images, and zero eigenvalues cost no precision. Source:
    Dowson and Landau 1982.
    """
    x, y = generated.double(), real.double()
    means = (x.mean(0) - y.mean(0)).square().sum()
    a, b = _root_of_covariance(x), _root_of_covariance(y)
    overlap = torch.linalg.svdvals(a @ b.T).sum()
    return float((means + a.square().sum() + b.square().sum() - 2 * overlap).clamp(min=0))


def _root_of_covariance(x: Tensor) -> Tensor:
    """Return a matrix A with at most d rows such that A'A is the unbiased covariance."""
    centred = (x - x.mean(0)) / (len(x) - 1) ** 0.5
    return torch.linalg.qr(centred, mode="r").R if len(x) > x.shape[1] else centred
