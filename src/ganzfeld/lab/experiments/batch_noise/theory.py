"""Closed forms of ``batch-noise``: the errors of the variance of numbers and of correlated maps."""

import math

import torch
from torch import Tensor

FORMULAS = {
    "unbiased variance": r"E[(S^2 - \sigma^2)^2] \,/\, \sigma^4 = 2/(B-1)",
    "variance that batch norm divides by": r"(2B-1)/B^2",
    "heavy tails, excess kurtosis": r"(n-1)\,(2 + \kappa\,(n-1)/n)/n^2 + 1/n^2",
    "correlated maps": r"\left(\mathrm{tr}\,A\Sigma - \sigma^2\right)^2 + 2\,\mathrm{tr}(A\Sigma A\Sigma)",
    "independent numbers that a pool is worth": r"n = (1 + \sqrt{1 - \mathrm{error}})\,/\,\mathrm{error}",
}


def unbiased_error(num: int) -> float:
    """Return E[(S^2 - sigma^2)^2] / sigma^4 = 2 / (n - 1) for n independent Gaussian numbers; seed text."""
    return 2 / (num - 1)


def biased_error(num: int) -> float:
    """Return the same error for the variance that divides by n, not n - 1, as normalisations do:
    (2 n - 1) / n^2.

    This variance is S^2 (n - 1)/n: its spread adds 2 (n - 1)/n^2, and its bias of -1/n adds 1/n^2.
    """
    return (2 * num - 1) / num**2


def correlated_error(covariance: Tensor, batch: int) -> float:
    """Return the same error for the biased variance over a batch of independent Gaussian maps, each with
    ``covariance`` (n, n) between its positions and the same variance everywhere.

    The biased variance is x'Ax with A = (1 - 11'/N)/N over all N = batch n numbers. Its mean is tr(A Sigma)
    and its variance 2 tr(A Sigma A Sigma), where Sigma has one block per image.
    """
    num = batch * len(covariance)
    ones_once, ones_twice = float(covariance.sum()), float((covariance @ covariance).sum())
    trace, square_trace = float(covariance.trace()), float(covariance.square().sum())
    mean = batch * (trace - ones_once / num) / num
    spread = batch * (square_trace - 2 * ones_twice / num + batch * ones_once**2 / num**2) / num**2
    variance = trace / len(covariance)
    return ((mean - variance) ** 2 + 2 * spread) / variance**2


def worth(error: float) -> float:
    """Return the number of independent Gaussian numbers whose biased variance has that error, the inverse of
    ``biased_error``: n = (1 + sqrt(1 - error)) / error.

    Normalisations divide by the biased variance. An error of 1 or more is that of a single number, n = 1.
    """
    return (1 + math.sqrt(1 - error)) / error if error < 1 else 1.0


def worth_error(error: float, standard_error: float) -> float:
    """Return the standard error of ``worth`` from that of ``error``, to first order: the slope of
    ``biased_error`` is -2 (n - 1) / n^3.
    """
    num = worth(error)
    return standard_error * num**3 / (2 * (num - 1)) if num > 1 else math.nan


def heavy_tailed_error(num: float, kurtosis: float) -> float:
    """Return the error of the biased variance of n independent numbers with this excess kurtosis.

    The variance of the biased variance is (n - 1)/n^2 (2 + kurtosis (n - 1)/n), and its bias adds 1/n^2
    (Cramer 1946, section 27.4). A kurtosis below 0 makes a small error; what is above 0 makes a large one.
    """
    return ((num - 1) * (2 + kurtosis * (num - 1) / num) + 1) / num**2


def correlations(side: int, reach: float) -> Tensor:
    """Return exp(-distance/reach) between the positions of a square map, (side^2, side^2)."""
    along = torch.arange(side, dtype=torch.float64)
    places = torch.cartesian_prod(along, along)
    return torch.exp(-torch.cdist(places, places) / reach) if reach else torch.eye(side**2).double()
