"""Poisson blending: a patch takes the place of a hole without a visible edge (Perez et al. 2003, eq. 3).

Inside the hole the result has the differences between neighbouring pixels of the patch, and at its edge it
continues the image. So what is added to the patch is the harmonic function that equals image minus patch on
the pixels around the hole. Where the hole reaches the edge of the image, no condition holds.
"""

import numpy as np

TOLERANCE = 1e-10
"""The residual at which the conjugate gradients end, relative to the right-hand side."""


def blended(image: np.ndarray, patch: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """Return ``image`` (H, W, C) with the hole (H, W), true where pixels are missing, filled by ``patch``.

    The result is float64 (H, W, C); outside the hole it is the image. At least one pixel must not be in the
    hole.
    """
    image, patch = image.astype(np.float64), patch.astype(np.float64)
    difference = np.where(hole[..., None], 0.0, image - patch)
    return np.where(hole[..., None], patch + harmonic(difference, hole), image)


def harmonic(values: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """Continue values (H, W, C) from outside a hole into it, so that each pixel there is the mean of its
    neighbours; returns float64 (H, W, C).
    """
    num_neighbours = _sum_of_neighbours(np.ones_like(hole, np.float64)[..., None])
    inside = hole[..., None].astype(np.float64)
    right = inside * _sum_of_neighbours(values * (1 - inside))

    def apply(field: np.ndarray) -> np.ndarray:
        return inside * (num_neighbours * field - _sum_of_neighbours(field))

    return values * (1 - inside) + _conjugate_gradients(apply, right, int(hole.sum()))


def _sum_of_neighbours(field: np.ndarray) -> np.ndarray:
    """Return the sum of the up to four neighbours of every pixel of a field (H, W, C)."""
    total = np.zeros_like(field)
    total[1:] += field[:-1]
    total[:-1] += field[1:]
    total[:, 1:] += field[:, :-1]
    total[:, :-1] += field[:, 1:]
    return total


def _conjugate_gradients(apply, right: np.ndarray, num_unknown: int) -> np.ndarray:
    """Solve a symmetric positive definite system for every channel; returns the shape of ``right``."""
    solution, residual = np.zeros_like(right), right.copy()
    direction, square = residual.copy(), (residual**2).sum((0, 1))
    end = TOLERANCE**2 * square
    for _ in range(4 * num_unknown + 10):
        if (square <= end).all():
            break
        image = apply(direction)
        step = square / np.maximum((direction * image).sum((0, 1)), 1e-300)
        solution += step * direction
        residual -= step * image
        before, square = square, (residual**2).sum((0, 1))
        direction = residual + square / np.maximum(before, 1e-300) * direction
    return solution
