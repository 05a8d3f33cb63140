"""Closed forms of ``soft-labels``: the logit gradient, the best discriminator, its slope and its pull."""

import math

import numpy as np
import torch
from torch import Tensor

FORMULAS = {
    "gradient of D's loss by the logit": r"\frac{\partial L}{\partial l} = D-\tilde y,"
    r"\quad \tilde y\in\{1-\alpha,\ \alpha\}",
    "the best discriminator": r"D^* = \frac{(1-\alpha)\,p_{data}+\alpha\,p_{model}}"
    r"{p_{data}+p_{model}} = \alpha+(1-2\alpha)\,D^*_{hard}",
    "slope of the best logit in log r": r"1,\quad \frac{1}{1+\alpha r}\ \mathrm{(one\ side)},\quad"
    r"\frac{(1-\alpha)r}{(1-\alpha)r+\alpha}-\frac{\alpha r}{\alpha r+1-\alpha}\approx"
    r"\frac{1-2\alpha}{\alpha(1-\alpha)}r\ \mathrm{(two)}",
    "temperature": r"\frac{d}{dl}\sigma(l/T)=\frac{1}{T}\sigma'(l/T)",
}


def logit_gradient(logits: Tensor, target: float) -> Tensor:
    """Return D - y: the derivative of the cross-entropy by the logit (seed text, saturation of D)."""
    return torch.sigmoid(logits) - target


def best_probability(log_ratio: Tensor, alpha: float, sides: int) -> Tensor:
    """Return D* at r = p_data / p_model, which minimises the expected loss: (t_real r + t_fake) / (r + 1)."""
    hard = torch.sigmoid(log_ratio)
    return (1 - alpha) * hard + (alpha * (1 - hard) if sides == 2 else 0)


def best_logit(log_ratio: Tensor, alpha: float, sides: int) -> Tensor:
    """Return the logit of D* as a difference of logarithms, without computing D* itself."""
    zero = torch.zeros_like(log_ratio)
    kept, lost = math.log(1 - alpha), math.log(alpha) if alpha else -math.inf
    if sides == 2 and alpha:
        return torch.logaddexp(kept + log_ratio, zero + lost) - torch.logaddexp(lost + log_ratio, zero + kept)
    return kept + log_ratio - torch.logaddexp(lost + log_ratio, zero)


def slope_in_ratio(log_ratio: Tensor, alpha: float, sides: int) -> Tensor:
    """Return d logit* / d log r: 1 for hard labels, 1 / (1 + alpha r) one-sided.

    Two-sided it is r (1 - 2 alpha) / (alpha (1 - alpha)) to first order, about r / alpha, where r is far
    below alpha.
    """
    ratio = log_ratio.exp()
    if sides == 1:
        return 1 / (1 + alpha * ratio)
    return (1 - alpha) * ratio / ((1 - alpha) * ratio + alpha) - alpha * ratio / (alpha * ratio + 1 - alpha)


def pull_of_best(shift: Tensor, alpha: float, sides: int) -> Tensor:
    """Return the pull on a generator of N(m, 1) towards data N(0, 1) by the best D, at shifts m (n,).

    E[(1 - D*) d logit* / dx] over its points x, with log r = m^2 / 2 - m x; by Gauss-Hermite quadrature.
    """
    nodes, weights = (torch.from_numpy(array) for array in np.polynomial.hermite_e.hermegauss(80))
    points = shift[:, None] + nodes
    log_ratio = shift[:, None] ** 2 / 2 - shift[:, None] * points
    slope = slope_in_ratio(log_ratio, alpha, sides) * shift[:, None]
    sent = (1 - best_probability(log_ratio, alpha, sides)) * slope
    return (sent * weights).sum(1) / weights.sum()
