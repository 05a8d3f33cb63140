"""Closed forms of ``batch-leak``: how the output of a batch norm depends on the rest of the batch."""

import math

import numpy as np
import torch
from torch import Tensor

FORMULAS = {
    "across a batch norm": r"\partial y_i / \partial x_j = -\,(1 + y_i y_j) \,/\, (N s), \quad i \neq j",
    "fixed value, fake share f": r"y(f) = (x - f\delta) \,/\, \sqrt{1 + f(1-f)\,\delta^2}",
    "probe on the batch mean": r"R^2 = \delta^2 V \,/\, (\delta^2 V + 1/B), \quad V = (B+2)/(12B)",
}

BRIGHT = {"real": 0.5, "fake": 0.8}
"""Shares of the toy images that are bright."""

BEST = 0.65
"""Share of single toy images that the best discriminator classifies correctly (Bayes)."""


def compositions(batching: str, batch: int) -> list[tuple[float, int, int]]:
    """Return the probability of every composition of a batch, with its numbers of fake and of real images.

    ``separate`` batches have ``batch`` images of one kind; ``even`` and ``random`` ones have twice as many.
    """
    if batching == "separate":
        return [(0.5, batch, 0), (0.5, 0, batch)]
    if batching == "even":
        return [(1.0, batch, batch)]
    return [(1 / (2 * batch + 1), fakes, 2 * batch - fakes) for fakes in range(2 * batch + 1)]


def best_in_batches(batching: str, batch: int) -> float:
    """Return the share of images that is classified correctly at best if the whole batch is known (Bayes).

    The images of a batch are exchangeable, so an image's own brightness and the number of bright images in
    its batch are all that matters: the sum over both of the larger joint probability of real and fake.
    """
    total = sum(compositions(batching, batch)[0][1:])
    joint = np.zeros((2, 2, total + 1))  # by kind, own brightness, and number of bright images
    for probability, *numbers in compositions(batching, batch):
        for kind, bright in enumerate((BRIGHT["fake"], BRIGHT["real"])):
            if numbers[kind] == 0:
                continue
            others = [number - (place == kind) for place, number in enumerate(numbers)]
            rest = np.convolve(_binomial(others[0], BRIGHT["fake"]), _binomial(others[1], BRIGHT["real"]))
            share = probability * numbers[kind] / total
            joint[kind, 0, :-1] += share * (1 - bright) * rest
            joint[kind, 1, 1:] += share * bright * rest
    return float(joint.max(0).sum())


def _binomial(num: int, share: float) -> np.ndarray:
    """Return the probabilities of 0 to ``num`` bright images among as many, (num + 1)."""
    return np.array([math.comb(num, k) * share**k * (1 - share) ** (num - k) for k in range(num + 1)])


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
