"""Draw photographs of solar cells: one layout and one light, but the grain and the defects of each differ."""

import numpy as np

GRAIN = 3.0
"""The standard deviation of the grain, in levels of 255."""


def solar_cells(
    number: int, side: int, seed: int, *, grain: float = GRAIN, defects: bool = True
) -> np.ndarray:
    """Return ``number`` different cells of ``side`` pixels, uint8 (number, side, side, 1).

    Corners, busbars and light are the same in all; the light varies a little. Without ``defects`` the cells
    differ only in their grain.
    """
    chance = np.random.default_rng(seed)
    down, across = np.meshgrid(*[(np.arange(side) + 0.5) / side] * 2, indexing="ij")
    layout = _layout(down, across)
    cells = np.empty((number, side, side, 1), np.uint8)
    for cell in cells:
        fine, coarse = chance.standard_normal((2, side, side))
        coarse = _smoothed(coarse, max(1, side // 40))
        image = layout + grain * (fine / 2 + coarse / coarse.std())
        image += (across - 0.5) * 3 * chance.standard_normal() + (down - 0.5) * 3 * chance.standard_normal()
        image += 2 * chance.standard_normal()
        for _ in range(chance.integers(4) if defects else 0):
            x, y = chance.uniform(0.1, 0.9, 2)
            radius = chance.uniform(0.01, 0.04)
            spot = np.exp(-((across - x) ** 2 + (down - y) ** 2) / (2 * radius**2))
            image -= chance.uniform(15, 50) * spot
        cell[..., 0] = np.clip(image + 0.5, 0, 255)
    return cells


def _layout(down: np.ndarray, across: np.ndarray) -> np.ndarray:
    """Return what all cells have in common."""
    layout = 150 + 40 * (across + down / 2) + 20 * np.sin(7 * down + 5 * across)
    layout -= 60 * ((across - 0.45) ** 2 + (down - 0.4) ** 2) * (down > 0.5)
    for busbar in (1 / 6, 1 / 2, 5 / 6):
        width = np.exp(-(((down - busbar) / 0.012) ** 2))
        layout -= 90 * width * np.where((6 * across) % 1 < 0.75, 1, 0.5)
    corners = np.minimum(across, 1 - across) + np.minimum(down, 1 - down) < 0.08
    return layout - 100 * corners


def _smoothed(values: np.ndarray, radius: int) -> np.ndarray:
    """Return means over the squares of ``radius`` pixels around each pixel, periodic."""
    for axis in (0, 1):
        shifted = [np.roll(values, shift, axis) for shift in range(-radius, radius + 1)]
        values = np.mean(shifted, axis=0)
    return values
