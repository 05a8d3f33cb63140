"""Rotation in a live game: eigenvalues of its linearised motion, and the rhythm of its logits."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ganzfeld.lab.game.play import gradients_of, times_jacobian, weights_of
from ganzfeld.training.step import GANState, StepConfig, StepContext


class RitzValues(NamedTuple):
    """Approximate eigenvalues (complex, n) and their residuals (n).

    ``asymmetry`` is the norm of the antisymmetric part of the map over that of the map, in the space of the
    n products: 0 for a symmetric map, all of whose eigenvalues are real.
    """

    values: np.ndarray
    residuals: np.ndarray
    asymmetry: float = 0.0

    @property
    def clear(self) -> np.ndarray:
        """Which values turn clearly, (n): their residual is below a fifth of their imaginary part."""
        return np.imag(self.values) > 5 * self.residuals


LOOKS = 8
"""Number of products after which the values are computed again."""


def ritz(
    times: Callable[[Tensor], Tensor],
    start: Tensor,
    num: int,
    enough: Callable[[RitzValues], bool] | None = None,
) -> RitzValues:
    """Return the Ritz values of a linear map after ``num`` products (Arnoldi 1951), or fewer if ``enough``
    is true of those after a multiple of ``LOOKS``.

    The outermost eigenvalues are approximated best.
    """
    basis = [start / start.norm()]
    small = np.zeros((num + 1, num))
    for place in range(num):
        product = times(basis[place])
        for _ in range(2):  # the second round removes what rounding leaves
            for row, vector in enumerate(basis):
                share = torch.dot(vector, product)
                small[row, place] += float(share)
                product = product - share * vector
        small[place + 1, place] = float(product.norm())
        if small[place + 1, place] < 1e-12:
            num = place + 1
            break
        if enough and (place + 1) % LOOKS == 0 and enough(_ritz_of(small, place + 1)):
            return _ritz_of(small, place + 1)
        basis.append(product / product.norm())
    return _ritz_of(small, num)


def _ritz_of(small: np.ndarray, num: int) -> RitzValues:
    """Return the Ritz values after ``num`` products, from the coefficients of the products in their basis."""
    square = small[:num, :num]
    values, vectors = np.linalg.eig(square)
    asymmetry = np.linalg.norm(square - square.T) / 2 / max(float(np.linalg.norm(square)), 1e-300)
    return RitzValues(values, small[num, num - 1] * np.abs(vectors[-1]), float(asymmetry))


def eigenvalues_of_play(
    gan: GANState,
    config: StepConfig,
    real: Tensor,
    latents: Tensor,
    context: StepContext,
    num: int,
    seed: int,
) -> RitzValues:
    """Return the eigenvalues of the motion by one step of Adam, with its present rates per coordinate.

    Products are added until a pair is clearly complex, ``num`` at most, so that what is seen does not depend
    on a chosen number of them. A value a + ib means that along some direction the game rotates by b radians
    per step while it grows by a. The motion is dw = -P g(w) with P = rate / (sqrt(second moment) + epsilon),
    without momentum, which ``ganzfeld.lab.experiments.spiral.theory.with_momentum`` puts in.
    P^(1/2) J P^(1/2) has the eigenvalues of P J, and the transpose of a matrix has the same eigenvalues.
    """
    weights = weights_of(gan)
    gradients = gradients_of(gan, config, real, latents, context)
    half = torch.cat([rate.sqrt().flatten() for rate in _rates(gan)])
    shapes = [weight.shape for weight in weights]
    sizes = [weight.numel() for weight in weights]

    def times(vector: Tensor) -> Tensor:
        parts = [part.view(shape) for part, shape in zip((half * vector).split(sizes), shapes, strict=True)]
        products = times_jacobian(gradients, weights, parts)
        return -half * torch.cat([part.flatten() for part in products])

    start = torch.randn(half.numel(), generator=torch.Generator().manual_seed(seed)).to(half)
    return ritz(times, start, num, lambda motion: bool(motion.clear.any()))


@torch.no_grad()
def _rates(gan: GANState) -> list[Tensor]:
    """Return the factor on each coordinate's gradient in a step, the generator's weights first."""
    rates = []
    for optimizer in (gan.generator_optimizer, gan.discriminator_optimizer):
        for group in optimizer.param_groups:
            for weight in group["params"]:
                state = optimizer.state[weight]
                second = state["exp_avg_sq"] / (1 - group["betas"][1] ** float(state["step"]))
                rates.append(group["lr"] / (second.sqrt() + group["eps"]))
    return rates


class SpectralPeak(NamedTuple):
    """The strongest frequency of a series, in radians per step, its share of the power, and the probability
    that noise with the same autocorrelation has as strong a frequency (``chance``, with its ``error``).
    """

    frequency: float
    share: float
    chance: float
    error: float
    powers: np.ndarray


LEAST_PERIODS = 3
"""The fewest periods that count as an oscillation."""


def spectral_peak(series: np.ndarray, num_noises: int, seed: int) -> SpectralPeak:
    """Compare the strongest frequency of a series (T,), without its linear trend, with noise.

    The noises are x_t = a x_(t-1) + e_t with the a of the series, since any slowly changing series has its
    power at low frequencies.
    """
    series = _detrended(series[None])[0]
    memory = float((series[1:] * series[:-1]).sum() / max((series[:-1] ** 2).sum(), 1e-300))
    memory = min(max(memory, 0.0), 0.999)
    noise = np.random.default_rng(seed).standard_normal((num_noises, 2 * len(series)))
    for place in range(1, noise.shape[1]):
        noise[:, place] += memory * noise[:, place - 1]
    expected = 1 / (1 + memory**2 - 2 * memory * np.cos(2 * np.pi * _frequencies(len(series))))
    powers = _powers(series[None])
    peaks = (_powers(_detrended(noise[:, len(series) :])) / expected).max(1)
    peak = (powers / expected).max()
    chance = (1 + (peaks >= peak).sum()) / (1 + num_noises)
    strongest = int((powers / expected).argmax())
    return SpectralPeak(
        2 * np.pi * _frequencies(len(series))[strongest],
        float(powers[0, strongest]),
        float(chance),
        float(np.sqrt(chance * (1 - chance) / num_noises)),
        powers[0],
    )


def _detrended(series: np.ndarray) -> np.ndarray:
    """Remove mean and linear trend from (n, T)."""
    times = np.arange(series.shape[1]) - (series.shape[1] - 1) / 2
    series = series - series.mean(1, keepdims=True)
    return series - times * (series @ times)[:, None] / (times @ times)


def _frequencies(length: int) -> np.ndarray:
    """Return the frequencies, in periods per step."""
    return np.fft.rfftfreq(length)[LEAST_PERIODS:]


def _powers(series: np.ndarray) -> np.ndarray:
    """Return the share of the power at each frequency, of series (n, T)."""
    powers = np.abs(np.fft.rfft(series)) ** 2
    return powers[:, LEAST_PERIODS:] / np.maximum(powers[:, 1:].sum(1, keepdims=True), 1e-300)
