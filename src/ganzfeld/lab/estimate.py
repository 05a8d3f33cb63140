"""An estimate with its standard error. No figures and no verdicts."""

import math
from collections.abc import Callable

import torch
from torch import Tensor


def mean_and_error(values: Tensor) -> tuple[float, float]:
    """The mean of independent values (n,), at least two, and its standard error."""
    values = values.double()
    return float(values.mean()), float(values.std() / math.sqrt(len(values)))


def jackknife(samples: Tensor, statistic: Callable[[Tensor], Tensor]) -> tuple[float, float]:
    """A statistic (a scalar) of independent samples (n, ...) and its standard error by leaving one out at a
    time.
    """
    samples = samples.double()
    others = ~torch.eye(len(samples), dtype=torch.bool)
    left_out = torch.stack([statistic(samples[rest]) for rest in others])
    error = math.sqrt((len(samples) - 1) * float(left_out.var(correction=0)))
    return float(statistic(samples)), error
