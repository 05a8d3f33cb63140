"""Closed forms of ``bounded-output``: slopes of tanh and clip, and where rounding ends that of tanh."""

import math

import torch

FORMULAS = {
    "tanh": r"1 - \tanh^2(a) = 4 e^{-2|a|} \,/\, (1 + e^{-2|a|})^2 > 0",
    "clip": r"1\,[\,|a| < 1\,]",
    "where rounding ends the slope of tanh, p binary digits": (
        r"|a| = \mathrm{artanh}(1 - 2^{-(p+1)}) \approx (p+2)\,\ln 2 \,/\, 2"
    ),
}

PRECISIONS = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}


def tanh_slope(preactivation: float) -> float:
    """Return 1 - tanh^2(a) as 4 e^(-2 abs(a)) / (1 + e^(-2 abs(a)))^2: the subtraction would round to 0."""
    decay = math.exp(-2 * abs(preactivation))
    return 4 * decay / (1 + decay) ** 2


def log_tanh_slope(preactivation: float) -> float:
    """Return the logarithm of that slope. It is finite at every finite input, so the slope is above 0."""
    size = abs(preactivation)
    return math.log(4) - 2 * size - 2 * math.log1p(math.exp(-2 * size))


def clip_slope(preactivation: float) -> float:
    """Return 1 inside (-1, 1) and 0 outside."""
    return float(abs(preactivation) < 1)


NEAR = 0.1
"""The distance from its target at which a pixel counts as corrected."""


def time_to_correct(start: float, target: float) -> float:
    """Return the time that gradient flow takes from the pre-activation ``start`` until tanh is within 0.1
    above ``target``: about e^(2 start) / (8 (1 - target)).

    With y = tanh a the flow is da/dt = -(y - t)(1 - y^2), so dt = -dy / ((y - t)(1 - y^2)^2), and this
    is summed in a by the midpoint rule. 0 if the pixel begins within.
    """
    first = math.atanh(min(target + NEAR, 1 - 1e-12))
    if first >= start:
        return 0.0
    num = 20_000
    width = (start - first) / num
    total = 0.0
    for index in range(num):
        value = math.tanh(first + (index + 0.5) * width)
        total += width / ((value - target) * (1 - value) * (1 + value))
    return total


def end_of_slope(precision: torch.dtype) -> float:
    """Return the input above which tanh rounds to 1 in a format, so that 1 - tanh^2 is exactly 0.

    With p binary digits the last number below 1 is 1 - 2^-p, and numbers nearer to 1 round to 1: the input is
    artanh(1 - 2^-(p + 1)), about (p + 2) ln 2 / 2.
    """
    return math.atanh(1 - torch.finfo(precision).eps / 4)
