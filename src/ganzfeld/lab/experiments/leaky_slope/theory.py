"""Closed forms of ``leaky-slope``: mean and root mean square slopes, and the gain with batch norm."""

import math

FORMULAS = {
    "mean slope": r"E[f'(a)] = \Phi(\mu/\sigma) + \alpha\,\Phi(-\mu/\sigma)",
    "root mean square slope": r"\sqrt{E[f'(a)^2]} = \sqrt{\Phi(\mu/\sigma) + \alpha^2\,\Phi(-\mu/\sigma)}",
    "gain of a batch-normalised layer": r"\sqrt{E[f'(a)^2] \,/\, \mathrm{Var}[f(a)]}",
}


def mean_slope(alpha: float, mean: float = 0.0, std: float = 1.0) -> float:
    """Return E[f'(a)] for a from N(mean, std^2): the share above 0, and alpha times the share below.

    Seed text, section on LeakyReLU, for mean 0: 0.5 (1 + alpha). ReLU is alpha = 0.
    """
    above = share_above(mean, std)
    return above + alpha * (1 - above)


def rms_slope(alpha: float, mean: float = 0.0, std: float = 1.0) -> float:
    """Return sqrt(E[f'(a)^2]): the factor on a gradient's norm, where slopes and weights are independent.

    He et al. 2015, "Delving deep into rectifiers", equation 15, with the activation's slope of their section
    2.2 for the backward pass.
    """
    above = share_above(mean, std)
    return math.sqrt(above + alpha**2 * (1 - above))


def share_above(mean: float, std: float) -> float:
    """Return P(a > 0) for a from N(mean, std^2)."""
    return 0.5 * math.erfc(-mean / std / math.sqrt(2))


def normalised_gain(alpha: float) -> float:
    """Return the factor of a batch-normalised layer on a gradient's norm: sqrt(E[f'^2] / Var[f]) at N(0, 1).

    A batch norm subtracts the mean of the activation's output and divides by its standard deviation, and so
    divides the gradient by the same number. This is exact for wide layers. For ReLU it gives
    sqrt(pi / (pi - 1)): Yang et al. 2019, "A mean field theory of batch normalization", section 3.
    """
    # With layer norm it is 1 for every slope: a layer norm subtracts no mean of the activation's output, so
    # its gain is sqrt(E[f'^2] / E[f^2]), and both expectations are (1 + alpha^2) / 2.
    variance = 0.5 * (1 + alpha**2) - (1 - alpha) ** 2 / (2 * math.pi)
    return rms_slope(alpha) / math.sqrt(variance)
