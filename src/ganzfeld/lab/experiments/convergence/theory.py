"""Closed forms of ``convergence``: rounds of the Dirac game near its rest point, for every loss and method.

All real images are the value 0, the generator makes one value theta, and D is the line psi x + c, where c is
the logit at rest (Mescheder et al. 2018, section 2). Near (0, 0), with R1 or R2 of weight w,

    d theta / dt = b psi        d psi / dt = -a theta - w psi

where a is the slope of D's loss and -b that of the generator's by the logit of a generated image at rest. R1
and R2 are the same here, since the gradient of a line is the same everywhere.
"""

from typing import NamedTuple

import numpy as np

Array = np.ndarray

FORMULAS = {
    "game near its rest point": r"\dot\theta = b\,\psi,\quad \dot\psi = -a\,\theta - w\,\psi",
    "eigenvalues of its flow": r"-\frac{w}{2} \pm \sqrt{\frac{w^2}{4} - ab}",
    "an alternating round, n steps of D": r"\det = (1-hw)^n,\quad "
    r"\mathrm{bounded\ at}\ w=0\ \mathrm{while}\ n h^2 ab \leq 4",
}


class Slopes(NamedTuple):
    """The slopes a and b of a loss at its rest ``logit``."""

    a: float
    b: float
    logit: float = 0.0


SLOPES = {
    "hinge": Slopes(1.0, 1.0),
    "least-squares": Slopes(0.5, 0.5, 0.5),
    "minimax": Slopes(0.5, 0.5),
    "non-saturating": Slopes(0.5, 0.5),
    "relativistic-pairing": Slopes(0.5, 0.5),
    "wasserstein": Slopes(1.0, 1.0),
}
"""By loss, from the derivatives of the losses. A line through 0 cannot reach the rest logit of least squares,
1/2: its bias does.
"""


def transition(
    method: str, slopes: Slopes, step: float, weight: float = 0.0, steps_of_d: int = 1, momentum: float = 0.0
) -> Array:
    """Return the matrix of a round on (theta, psi, and their velocities or previous values), (4, 4).

    ``steps_of_d`` and ``momentum`` (of torch's SGD) are used by simultaneous and alternating rounds.
    """
    flow = np.array([[0.0, slopes.b], [-slopes.a, -weight]])
    one, zero = np.eye(2), np.zeros((2, 2))
    if method == "extragradient":
        return np.block([[one + step * flow @ (one + step * flow), zero], [zero, zero]])
    if method == "optimistic":
        return np.block([[one + 2 * step * flow, -step * flow], [one, zero]])
    both = _update(flow, step, momentum, (0, 1))
    of_g, of_d = _update(flow, step, momentum, (0,)), _update(flow, step, momentum, (1,))
    if method == "simultaneous":
        return both @ np.linalg.matrix_power(of_d, steps_of_d - 1)
    return of_g @ np.linalg.matrix_power(of_d, steps_of_d)


def _update(flow: Array, step: float, momentum: float, sides: tuple[int, ...]) -> Array:
    """Return the matrix of v <- momentum v - flow z, z <- z - step v for these sides, (4, 4)."""
    matrix = np.eye(4)
    for side in sides:
        velocity = np.concatenate([-flow[side], momentum * np.eye(2)[side]])
        matrix[2 + side] = velocity
        matrix[side] = np.eye(4)[side] - step * velocity
    return matrix


def growth(matrix: Array) -> float:
    """Return the factor of a round on the distance from rest in the long run, the spectral radius."""
    return float(np.abs(np.linalg.eigvals(matrix)).max())


def largest_alternating_step(slopes: Slopes, steps_of_d: int = 1) -> float:
    """Return the step size up to which alternating rounds without penalty and momentum stay bounded.

    The matrix has determinant 1 and trace 2 - n h^2 ab.
    """
    return 2 / np.sqrt(steps_of_d * slopes.a * slopes.b)


DAMPING = {"least-squares": 2.0, "non-saturating": 0.5, "relativistic-pairing": 0.5}
"""By loss, c in d(r^2 / 2)/dt = -c (theta psi)^2 for small radii without a penalty; 0 for other losses.

The linear terms cancel in theta dtheta/dt + psi dpsi/dt. What is left is psi theta times the difference of
the slopes of both losses at the logit psi theta: -(psi theta) tanh(psi theta / 2) for the non-saturating loss
(relativistic pairing is the same where the real logit is 0), and -2 (psi theta)^2 for least squares.
"""


def creeping_radius(loss: str, radius: float, time: float) -> float:
    """Return the radius of an unpenalised game after ``time``, from a radius that is not large.

    Over a turn (theta psi)^2 is r^4 / 8 on average. So 1 / r^2 grows by c / 4 per unit of time, and the
    radius falls as time^(-1/2): it converges, but not at a geometric rate.
    """
    return (radius**-2 + DAMPING.get(loss, 0.0) * time / 4) ** -0.5
