"""Closed forms of ``bounded-output``: slopes of tanh and clip, and where rounding ends the first."""

import math

import torch

FORMULAS = {
    "tanh": r"1 - \tanh^2(a) = 4 e^{-2|a|} \,/\, (1 + e^{-2|a|})^2 > 0",
    "clip": r"1\,[\,|a| < 1\,]",
    "where rounding ends it, p binary digits": (
        r"|a| = \mathrm{artanh}(1 - 2^{-(p+1)}) \approx (p+2)\,\ln 2 \,/\, 2"
    ),
}

PRECISIONS = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}


def tanh_slope(preactivation: float) -> float:
    """Return 1 - tanh^2(a) = 4 e^(-2 abs(a)) / (1 + e^(-2 abs(a)))^2, without the subtraction that rounds to
    0.
    """
    falling = math.exp(-2 * abs(preactivation))
    return 4 * falling / (1 + falling) ** 2


def log_tanh_slope(preactivation: float) -> float:
    """Return its logarithm, finite at every finite input: so the slope is above 0 in real numbers."""
    size = abs(preactivation)
    return math.log(4) - 2 * size - 2 * math.log1p(math.exp(-2 * size))


def clip_slope(preactivation: float) -> float:
    """Return 1 inside (-1, 1) and 0 outside."""
    return float(abs(preactivation) < 1)


def end_of_slope(precision: torch.dtype) -> float:
    """Return the input from which on tanh is 1 to the nearest number of a format, and 1 - tanh^2 exactly 0.

    With p binary digits the last number below 1 is 1 - 2^-p, and half of that way rounds to 1: artanh(1 -
    2^-(p + 1)), about (p + 2) ln 2 / 2.
    """
    return math.atanh(1 - torch.finfo(precision).eps / 4)
