"""Closed forms of ``spiral``: the linear game, its flow, and the rounds of each method of play.

The generator has one number x and the discriminator one number y. x maximises x y and y minimises it, and lg
and ld are their weight decays:

    dx/dt = -lg x + y        dy/dt = -x - ld y        J = [[-lg, 1], [-1, -ld]]

It is the Dirac GAN of Mescheder et al. 2018 with the Wasserstein loss, where ld is the weight of R1 and lg a
weight decay; every game near its rest point is a sum of such pairs.
"""

import cmath
import math

import numpy as np
from numpy.typing import ArrayLike

Array = np.ndarray

FORMULAS = {
    "flow of the linear game": r"\dot x = -\lambda_g x + y,\quad \dot y = -x - \lambda_d y",
    "eigenvalues": r"-\frac{\lambda_g+\lambda_d}{2} \pm i\omega,\quad "
    r"\omega = \frac{\sqrt{4-(\lambda_g-\lambda_d)^2}}{2}",
    "factor of a simultaneous step of size h": r"|1 + h\lambda|",
    "factor z of a round with momentum": r"z^2 - (1+\beta+(1-\beta)\,h\lambda)\,z + \beta = 0",
    "largest stable step without damping": r"\mathrm{alternating}\ 2,\ \mathrm{extragradient}\ 1,\ "
    r"\mathrm{optimistic}\ 1/\sqrt{3}",
}


def jacobian(lg: ArrayLike, ld: ArrayLike) -> Array:
    """Return J of the flow, (..., 2, 2)."""
    lg, ld = np.broadcast_arrays(np.asarray(lg, float), np.asarray(ld, float))
    one = np.ones_like(lg)
    return np.stack([np.stack([-lg, one], -1), np.stack([-one, -ld], -1)], -2)


def eigenvalues(lg: float, ld: float) -> tuple[complex, complex]:
    """Return -(lg + ld) / 2 +- i omega, or two real values where abs(lg - ld) > 2 (seed text, training
    dynamics).
    """
    centre, spread = -(lg + ld) / 2, cmath.sqrt((lg - ld) ** 2 - 4) / 2
    return centre + spread, centre - spread


def frequency(lg: float, ld: float) -> float:
    """Return omega = sqrt(4 - (lg - ld)^2) / 2 in radians per unit of time; 0 without rotation."""
    return math.sqrt(max(0.0, 4 - (lg - ld) ** 2)) / 2


def turning(lg: float, ld: float) -> float:
    """Return 2 - abs(lg - ld): above 0 the eigenvalues are complex, below 0 they are real."""
    return 2 - abs(lg - ld)


def with_momentum(value: complex, beta: float) -> complex:
    """Return the factor of a round with momentum, from h lambda of the round without it (``value``).

    The steps are m <- beta m + (1 - beta) g and w <- w - h m, as in Adam, so a factor z satisfies
    z^2 - (1 + beta + (1 - beta) h lambda) z + beta = 0; this is the larger root. Without momentum it is
    1 + h lambda.
    """
    trace = 1 + beta + (1 - beta) * value
    spread = cmath.sqrt(trace**2 - 4 * beta)
    return max(((trace + spread) / 2, (trace - spread) / 2), key=abs)


def momentum_round(step: float, lg: float, ld: float, beta: float) -> Array:
    """Return the matrix by which a round of simultaneous steps with momentum multiplies (w, h m), (4, 4)."""
    flow, one = jacobian(lg, ld), np.eye(2)
    moved = (1 - beta) * step * flow
    return np.block([[one + moved, beta * one], [moved, beta * one]])


def transition(method: str, step: ArrayLike, lg: ArrayLike, ld: ArrayLike, strength: float = 1.0) -> Array:
    """Return the matrix by which a round of a method multiplies (x, y), (..., n, n).

    n is 2, and 4 for the optimistic method, whose state holds the previous (x, y) too. ``strength`` is that
    of the consensus term. Adam is not linear and has none (``KeyError``).
    """
    h, lg, ld = np.broadcast_arrays(*(np.asarray(value, float) for value in (step, lg, ld)))
    flow, one = jacobian(lg, ld), np.eye(2)
    h = h[..., None, None]
    if method == "optimistic":
        zero = np.zeros_like(flow)
        return np.block([[one + 2 * h * flow, -h * flow], [one + zero, zero]])
    update_y = one + h * flow * [[0], [1]]
    update_x = one + h * flow * [[1], [0]]
    return {
        "simultaneous": one + h * flow,
        "alternating": update_x @ update_y,
        "extragradient": one + h * flow @ (one + h * flow),
        "consensus": one + h * (flow - strength * flow.swapaxes(-1, -2) @ flow),
    }[method]


def growth(method: str, step: ArrayLike, lg: ArrayLike, ld: ArrayLike, strength: float = 1.0) -> Array:
    """Return the factor of a round on the distance from rest in the long run, the spectral radius, (...)."""
    return np.abs(np.linalg.eigvals(transition(method, step, lg, ld, strength))).max(-1)


def growth_of_simultaneous(step: float, lg: float, ld: float) -> float:
    """Return the larger abs(1 + h lambda) of the two eigenvalues."""
    return max(abs(1 + step * value) for value in eigenvalues(lg, ld))


def largest_step(method: str, strength: float = 1.0) -> float:
    """Return the largest step size at which a method does not diverge without damping (lg = ld = 0).

    simultaneous: abs(1 + ih) > 1 always. alternating: trace 2 - h^2 and determinant 1, bounded while
    abs(trace) < 2. extragradient: abs(1 + ih - h^2)^2 = 1 - h^2 + h^4. optimistic: z^2 - (1 + 2ih) z + ih has
    a root on the circle at h^2 = 1/3. consensus: abs(1 + h (i - c))^2 = 1 - 2hc + h^2 (1 + c^2).
    """
    return {
        "simultaneous": 0.0,
        "alternating": 2.0,
        "extragradient": 1.0,
        "optimistic": 1 / math.sqrt(3),
        "consensus": 2 * strength / (1 + strength**2),
    }[method]


def largest_simultaneous_step(lg: float, ld: float) -> float:
    """Return the step size below which simultaneous steps converge while the flow rotates.

    It is (lg + ld) / (1 + lg ld), from abs(1 + h lambda)^2 = 1 - h (lg + ld) + h^2 (1 + lg ld).
    """
    return (lg + ld) / (1 + lg * ld)
