"""Closed forms of ``loss-surface``: the gradient through a batch norm, and what the scale of weights does."""

import torch
from torch import Tensor

FORMULAS = {
    "squared gradient behind a batch norm": r"\frac{\gamma^2}{\sigma^2}\left(\|g\|^2 - "
    r"\frac{(1\cdot g)^2}{m} - \frac{(\hat y\cdot g)^2}{m}\right)",
    "weights before a norm, times a": r"L(aw) = L(w),\quad \nabla L(aw) = \nabla L(w)/a,\quad "
    r"\beta(aw) = \beta(w)/a^2",
    "effective beta": r"\beta = \max_{\ell}\|\nabla L(w - \ell u) - \nabla L(w)\|\,/\,\ell",
}


def squared_gradient(gradient: Tensor, normalised: Tensor, gain: float, deviation: Tensor) -> Tensor:
    """Return the squared norm of a loss's gradient by the input of a batch norm, (C,).

    ``gradient`` is that by its output and ``normalised`` its output before gain and bias, both (m, C);
    ``deviation`` is what it divides by, the square root of variance plus epsilon, (C,). Santurkar et al.
    2018, theorem 4.1, whose bound is reached; there epsilon is 0, and the mean square of ``normalised`` is 1.
    """
    num = len(gradient)
    along = (normalised * gradient).sum(0).square() / num
    rest = 2 - normalised.square().mean(0)
    squared = gradient.square().sum(0) - gradient.sum(0).square() / num - along * rest
    return (gain / deviation).square() * squared


def smoothness_after(factor: float) -> float:
    """Return what the effective beta is multiplied by, where weights before a norm get a ``factor``.

    The loss is the same, so a gradient is divided by the factor and a second derivative by its square; van
    Laarhoven 2017, section 2.
    """
    return factor**-2


def unit_deviation(inputs: float, mean_square: float) -> float:
    """Return the standard deviation of weights with which the outputs of a layer have variance 1.

    Its number of inputs is ``inputs``, and their mean square ``mean_square``; He et al. 2015, section 2.2.
    """
    return float(torch.tensor(inputs * mean_square).rsqrt())
