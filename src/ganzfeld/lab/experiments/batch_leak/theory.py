"""Closed forms of ``batch-leak``: how the output of a batch norm depends on the rest of the batch."""

import math

import torch
from torch import Tensor

FORMULAS = {
    "across a batch norm": r"\partial y_i / \partial x_j = -\,(1 + y_i y_j) \,/\, (N s), \quad i \neq j",
    "fixed value, fake share f": r"y(f) = (x - f\delta) \,/\, \sqrt{1 + f(1-f)\,\delta^2}",
    "probe on the batch mean": r"R^2 = \delta^2 V \,/\, (\delta^2 V + 1/B), \quad V = (B+2)/(12B)",
}

BEST = 0.65
"""Share of single images of ``toy.proportion`` that the best discriminator classifies correctly (Bayes)."""


def cross_gradient(normalised: Tensor, scale: Tensor) -> Tensor:
    """Return d y_i / d x_j of a batch norm without gain, (N, N), from its outputs ``normalised`` (N,).

    ``scale`` is s = sqrt(variance + eps). (1[i = j] - (1 + y_i y_j)/N)/s: Ioffe & Szegedy 2015, the equations
    after their algorithm 1, put together.
    """
    num = len(normalised)
    own = torch.eye(num, dtype=normalised.dtype)
    return (own - (1 + torch.outer(normalised, normalised)) / num) / scale


def normalised_value(value: float, share: float, distance: float) -> float:
    """Return the output of a batch norm over many numbers for one value, if a ``share`` of the numbers comes
    from N(-distance, 1), the fakes, and the rest from N(0, 1).

    The mean is -share distance, and having two means adds share (1 - share) distance^2 to the variance.
    """
    return (value + share * distance) / math.sqrt(1 + share * (1 - share) * distance**2)


def probe_r2(batch: int, distance: float) -> float:
    """Return R^2 of the best linear prediction of a batch's share of fakes from its mean alone, if 0 to B
    fakes are equally likely: the share has variance (B + 2)/(12 B), and the noise of the mean has 1/B.
    """
    signal = distance**2 * (batch + 2) / (12 * batch)
    return signal / (signal + 1 / batch)
