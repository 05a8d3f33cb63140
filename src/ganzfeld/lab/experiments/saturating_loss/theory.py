"""Closed forms of ``saturating-loss``: two derivatives, and the logits at which 32 bits fail."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

FORMULAS = {
    "minimax": r"\frac{\partial}{\partial l}\log(1-D) = -D,\quad D=\sigma(l)",
    "non-saturating": r"\frac{\partial}{\partial l}(-\log D) = -(1-D)",
    "minimax, by D": r"\frac{\partial}{\partial D}\log(1-D) = \frac{-1}{1-D},\quad"
    r"\frac{\partial D}{\partial l} = D(1-D)",
    "from 32-bit probabilities": r"1-D=0\ \mathrm{from}\ l=25\ln 2,\quad "
    r"D=0\ \mathrm{from}\ l=-150\ln 2\ (-126\ln 2\ \mathrm{flushed})",
}


def of_minimax(logits: Tensor) -> Tensor:
    """Return -D: the derivative of log(1 - D) by the logit (seed text, generator's loss)."""
    return -torch.sigmoid(logits)


def of_non_saturating(logits: Tensor) -> Tensor:
    """Return -(1 - D): the derivative of -log D by the logit (seed text, generator's loss)."""
    return -torch.sigmoid(-logits)


def minimax_by_probability(probability: float) -> float:
    """Return the derivative of log(1 - D) by D, -1 / (1 - D): it is -1 at D = 0, and does not vanish."""
    return -1 / (1 - probability)


def non_saturating_by_probability(probability: float) -> float:
    """Return the derivative of -log D by D, -1 / D."""
    return -1 / probability


def sigmoid_slope(logit: float) -> float:
    """Return the derivative of D = sigmoid(l) by l, D (1 - D), which vanishes as D goes to 0."""
    probability = 1 / (1 + math.exp(-logit))
    return probability * (1 - probability)


def break_of_minimax(direct: bool) -> float:
    """Return the logit from which log(1 - D) is -infinity in 32 bits, whose spacing below 1 is 2^-24.

    D rounded once is 1 from half of that spacing. Computed as 1 / (1 + exp(-l)) (``direct``), as libraries
    do, it is 1 as soon as 1 + exp(-l) is 1.
    """
    return (24 if direct else 25) * math.log(2)


def break_of_non_saturating(direct: bool, flushed: bool) -> float:
    """Return the logit below which -log D is infinity in 32 bits.

    D rounded once is 0 below half the smallest denormal number, 2^-149, or below 2^-126 with denormals
    flushed; in 1 / (1 + exp(-l)) (``direct``) the exponential overflows from 2^128.
    """
    power = 126 if flushed else 150
    return -(min(power, 128) if direct else power) * math.log(2)


SLOPES: dict[str, Callable[[Tensor], Tensor]] = {"minimax": of_minimax, "non-saturating": of_non_saturating}
