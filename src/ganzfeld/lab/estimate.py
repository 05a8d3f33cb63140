"""An estimate with its standard error. No figures and no verdicts."""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor


class Estimate(NamedTuple):
    """A value and its standard error, 0 where the value is exact.

    ``dof`` are the degrees of freedom of the error: the number of independent values that it was estimated
    from, less one; infinite where the error is known and not estimated; 0 for a single value of which nobody
    knows how far another would be (``example``).
    """

    value: float
    error: float = 0.0
    dof: float = math.inf


def example(value: float) -> Estimate:
    """Return the estimate that a single run gives: a value without an error."""
    return Estimate(value, math.nan, 0)


def as_estimate(measured: Estimate | float) -> Estimate:
    """Return an estimate as it is, and a plain number as an exact one."""
    return measured if isinstance(measured, Estimate) else Estimate(measured)


def mean_and_error(values: Tensor) -> Estimate:
    """Return the mean of independent values (n,), n at least two, with its standard error."""
    values = values.double()
    return Estimate(float(values.mean()), float(values.std() / math.sqrt(len(values))), len(values) - 1)


def jackknife(samples: Tensor, statistic: Callable[[Tensor], Tensor]) -> Estimate:
    """Return a statistic (a scalar) of independent samples (n, ...) with its standard error, computed by
    leaving out one sample at a time.
    """
    samples = samples.double()
    others = ~torch.eye(len(samples), dtype=torch.bool)
    left_out = torch.stack([statistic(samples[rest]) for rest in others])
    error = math.sqrt((len(samples) - 1) * float(left_out.var(correction=0)))
    return Estimate(float(statistic(samples)), error, len(samples) - 1)


def means_and_errors(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the means along the first axis of independent values (n, ...), n at least two, and their
    standard errors, in the precision of the array.
    """
    return values.mean(0), values.std(0, ddof=1) / math.sqrt(len(values))


def array_mean_and_error(values: np.ndarray) -> Estimate:
    """Return the mean of independent values (n,), n at least two, with its standard error, both computed in
    the precision of the array.
    """
    mean, error = means_and_errors(values)
    return Estimate(float(mean), float(error), len(values) - 1)
