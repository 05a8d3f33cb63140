"""Kernel distance: an unbiased estimate of how far two sets of pictures are apart, fit for small sets."""

import torch
from torch import Tensor

from ganzfeld.errors import UsageError


def kernel_distance(generated: Tensor, real: Tensor) -> float:
    """Unbiased MMD^2 with the kernel k(x, y) = (x.y / d + 1)^3, from features (N, d) and (M, d).

    About 0 for two sets of one distribution (it may fall below), larger for sets further apart. In float64.
    Raises ``UsageError`` for fewer than two pictures on either side. Source: Binkowski et al. 2018, eq. 4;
    Gretton et al. 2012, lemma 6.
    """
    if min(len(generated), len(real)) < 2:
        raise UsageError(f"a distance needs two pictures a side, not {len(generated)} and {len(real)}")
    x, y = generated.double(), real.double()
    return float(_mean_of_pairs(x) + _mean_of_pairs(y) - 2 * _kernel(x, y).mean())


def _mean_of_pairs(x: Tensor) -> Tensor:
    """Mean of the kernel over all pairs of different pictures of one set."""
    kernel = _kernel(x, x)
    return (kernel.sum() - kernel.trace()) / (len(x) * (len(x) - 1))


def _kernel(x: Tensor, y: Tensor) -> Tensor:
    return torch.pow(x @ y.T / x.shape[1] + 1, 3)
