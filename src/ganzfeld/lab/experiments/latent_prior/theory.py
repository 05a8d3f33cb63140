"""Closed forms of ``latent-prior``: variances by layer, shares beyond a threshold, norms."""

import math
from collections.abc import Sequence

from ganzfeld.geometry import Layer, Plan
from ganzfeld.networks.initialisations.normal import STANDARD_DEVIATION

FORMULAS = {
    "variance of a component": r"\mathrm{Var}\,N(0, 1) = 1, \quad \mathrm{Var}\,U(-1, 1) = 1/3",
    "pre-activations of the projection": r"\mathrm{Var}(a) = n\,\sigma_w^2\,\mathrm{Var}(z)",
    "pre-activations of the next layer": (
        r"\mathrm{Var}(a_{l+1}) = C_l\,m_l\,\sigma_w^2\,\mathrm{Var}(a_l) \,/\, 2"
    ),
    "saturation": r"P(|a| > t) = E_z\,\mathrm{erfc}\left(t \,/\, (\sqrt{2}\,\sigma_w |z|)\right)",
    "norm of a normal vector": r"E\,|z| = \sqrt{2}\,\Gamma((n+1)/2) \,/\, \Gamma(n/2) \approx \sqrt{n}",
}

PRIORS = {"normal": (1.0, 3.0), "uniform": (1 / 3, 1.8)}
"""Variance of a component (seed text), and its fourth moment over the squared variance, by prior."""


def projection_variance(latent_size: int, variance: float) -> float:
    """Return Var(a) = n sigma_w^2 Var(z) of the projection, for independent weights and latents."""
    return latent_size * STANDARD_DEVIATION**2 * variance


def unit_deviation(inputs: float) -> float:
    """Return the standard deviation of weights at which a sum over ``inputs`` keeps the mean square.

    After a ReLU, which halves it, half as many inputs count (He et al. 2015, equation 10).
    """
    return 1 / math.sqrt(inputs)


def layer_variances(ladder: Plan, widths: Sequence[int], latent_size: int, variance: float) -> list[float]:
    """Return the mean squares of the pre-activations of the projection and of every layer, with ReLU and
    without norms.

    ReLU halves a mean square (He et al. 2015, equation 8), and every output sums ``widths`` channels over the
    cells that reach it, fewer at the borders. The mean squares of a map are a product of one profile per
    axis.
    """
    whole = projection_variance(latent_size, variance)
    profiles = [[1.0] * side for side in ladder.seed]
    variances = [whole]
    for layer, width in zip(ladder.layers, widths, strict=True):
        whole *= width * STANDARD_DEVIATION**2 / 2
        profiles = [_spread_along(profile, layer, axis) for axis, profile in enumerate(profiles)]
        variances.append(whole * math.prod(sum(profile) / len(profile) for profile in profiles))
    return variances


def _spread_along(profile: Sequence[float], layer: Layer, axis: int) -> list[float]:
    """Return the mean squares that reach every output along an axis from cells with these mean squares."""
    reached = [0.0] * layer.large[axis]
    for cell, energy in enumerate(profile):
        for tap in range(layer.kernel[axis]):
            place = layer.stride[axis] * cell + tap - layer.padding[axis]
            if 0 <= place < len(reached):
                reached[place] += energy
    return reached


def share_beyond(threshold: float, variance: float, latent_size: int, fourth: float) -> float:
    """Return P(abs(a) > threshold) at the projection, whose mean square is ``variance``.

    For one latent z, a is Gaussian over the weights, with a variance proportional to |z|^2. Over latents,
    |z|^2 has a gamma distribution of shape n / (fourth - 1): exactly for normal latents (chi-squared), with
    the right mean and variance for others. The integral is numerical.
    """
    shape = latent_size / (fourth - 1)
    reach = 12 * math.sqrt(shape) + 40
    step = 2 * reach / 8_000
    total = 0.0
    for number in range(8_000):
        squared = shape - reach + (number + 0.5) * step
        if squared > 0:
            density = math.exp((shape - 1) * math.log(squared) - squared - math.lgamma(shape))
            total += density * math.erfc(threshold / math.sqrt(2 * variance * squared / shape)) * step
    return total


def normal_norm(size: int) -> tuple[float, float]:
    """Return the mean and standard deviation of the norm of a normal vector (chi distribution): about sqrt(n)
    and, for every n, about sqrt(1/2).
    """
    mean = math.sqrt(2) * math.exp(math.lgamma((size + 1) / 2) - math.lgamma(size / 2))
    return mean, math.sqrt(size - mean**2)


def ratio_of_variances() -> float:
    """Return the variance of a normal component over that of a uniform one: 3."""
    return PRIORS["normal"][0] / PRIORS["uniform"][0]
