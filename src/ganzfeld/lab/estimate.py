"""An estimate with its standard error. No figures and no verdicts."""

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor


def mean_and_error(values: Tensor) -> tuple[float, float]:
    """Return the mean of independent values (n,), n at least two, and its standard error."""
    values = values.double()
    return float(values.mean()), float(values.std() / math.sqrt(len(values)))


def jackknife(samples: Tensor, statistic: Callable[[Tensor], Tensor]) -> tuple[float, float]:
    """Return a statistic (a scalar) of independent samples (n, ...) and its standard error, by leaving one
    out at a time.
    """
    samples = samples.double()
    others = ~torch.eye(len(samples), dtype=torch.bool)
    left_out = torch.stack([statistic(samples[rest]) for rest in others])
    error = math.sqrt((len(samples) - 1) * float(left_out.var(correction=0)))
    return float(statistic(samples)), error


def means_and_errors(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the means along the first axis of independent values (n, ...), n at least two, and their
    standard errors, in the precision of the array.
    """
    return values.mean(0), values.std(0, ddof=1) / math.sqrt(len(values))


def array_mean_and_error(values: np.ndarray) -> tuple[float, float]:
    """Return the mean of independent values (n,), n at least two, and its standard error, both computed in
    the precision of the array.
    """
    mean, error = means_and_errors(values)
    return float(mean), float(error)
