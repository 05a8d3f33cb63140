"""Poisson blending against closed forms."""

import numpy as np
import pytest

from ganzfeld.inside.poisson import blended, harmonic

SIZE = (12, 10)


def hole_of(kind: str) -> np.ndarray:
    """Holes of several shapes: inside the image, at its corner, over its full width, in two parts."""
    hole = np.zeros(SIZE, bool)
    if kind in ("inside", "two parts"):
        hole[3:8, 2:7] = True
    if kind in ("corner", "two parts"):
        hole[9:, 8:] = True
    if kind == "full width":
        hole[4:9] = True
    if kind == "diagonal":
        hole[np.arange(10), np.arange(10)] = True
    return hole


KINDS = ["inside", "corner", "two parts", "full width", "diagonal"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_patch_that_differs_by_a_constant_gives_the_image(kind: str):
    random = np.random.default_rng(0)
    image = random.uniform(0, 255, (*SIZE, 3))
    patch = image + np.array([10.0, -30.0, 0.5])
    np.testing.assert_allclose(blended(image, patch, hole_of(kind)), image, atol=1e-6)


def test_between_two_rows_the_correction_is_a_straight_line():
    """Over the full width, a correction from 0 above to 60 below rises by 10 per row."""
    values = np.zeros((*SIZE, 1))
    values[9:] = 60.0
    hole = hole_of("full width")
    expected = np.interp(np.arange(SIZE[0]), [3, 9], [0.0, 60.0])
    result = harmonic(values, hole)
    np.testing.assert_allclose(result[3:10, :, 0], np.broadcast_to(expected[3:10, None], (7, 10)), atol=1e-6)


@pytest.mark.parametrize(
    "function", [lambda y, x: 3 * x - 2 * y + 1, lambda y, x: x**2 - y**2, lambda y, x: x * y]
)
def test_harmonic_polynomials_are_continued_exactly(function):
    """Their discrete Laplacian is zero, so they are the only solution with their values around the hole."""
    y, x = np.mgrid[: SIZE[0], : SIZE[1]].astype(float)
    values = function(y, x)[..., None]
    hole = hole_of("inside")
    result = harmonic(np.where(hole[..., None], 0.0, values), hole)
    np.testing.assert_allclose(result, values, atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_it_solves_the_linear_system(kind: str):
    """The same as a dense solution of the equations as they are written."""
    random = np.random.default_rng(1)
    image, patch = random.uniform(0, 255, (2, *SIZE, 1))
    hole = hole_of(kind)
    numbers = -np.ones(SIZE, int)
    numbers[hole] = np.arange(hole.sum())
    matrix, right = np.zeros((hole.sum(), hole.sum())), np.zeros(hole.sum())
    for y, x in zip(*np.nonzero(hole), strict=True):
        row = numbers[y, x]
        for near_y, near_x in ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)):
            if not (0 <= near_y < SIZE[0] and 0 <= near_x < SIZE[1]):
                continue
            matrix[row, row] += 1
            right[row] += patch[y, x, 0] - patch[near_y, near_x, 0]
            if hole[near_y, near_x]:
                matrix[row, numbers[near_y, near_x]] -= 1
            else:
                right[row] += image[near_y, near_x, 0]
    expected = image[..., 0].copy()
    expected[hole] = np.linalg.solve(matrix, right)
    np.testing.assert_allclose(blended(image, patch, hole)[..., 0], expected, atol=1e-6)


def test_the_rest_of_the_image_is_untouched():
    random = np.random.default_rng(2)
    image, patch = random.integers(0, 256, (2, *SIZE, 3)).astype(np.uint8)
    hole = hole_of("inside")
    assert np.array_equal(blended(image, patch, hole)[~hole], image[~hole])
