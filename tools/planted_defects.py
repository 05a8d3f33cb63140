"""Defects that are planted into images, to see whether they are found: see ``inside_table.py``."""

from collections.abc import Callable

import numpy as np

Planted = tuple[np.ndarray, np.ndarray]
"""An image (H, W, C), and where it was changed, bool (H, W)."""

EYES = (24 / 64, 39 / 64, 20 / 64, 45 / 64)
"""Top, bottom, left and right of the eyes of built-in faces, as shares of the side."""


def patch(image: np.ndarray, random: np.random.Generator) -> Planted:
    """Put a square of one random colour, an eighth of the side wide, into the middle half of an image."""
    (top, left), side = _place(image, random), image.shape[0] // 8
    where = np.zeros(image.shape[:2], bool)
    where[round(top) : round(top) + side, round(left) : round(left) + side] = True
    return _coloured(image, where.astype(float), random), where


def spot(image: np.ndarray, random: np.random.Generator) -> Planted:
    """Put a disc of one random colour with soft edges, a sixteenth of the side in radius."""
    down, across = _distances(image, *_place(image, random))
    share = (image.shape[0] / 16 - np.hypot(down, across)).clip(0, 1)
    return _coloured(image, share, random), share > 0.5


def scratch(image: np.ndarray, random: np.random.Generator) -> Planted:
    """Draw a straight line of one random colour, 1.5 px thick and three eighths of the side long."""
    down, across = _distances(image, *_place(image, random))
    angle = random.uniform(0, np.pi)
    along = down * np.sin(angle) + across * np.cos(angle)
    beside = down * np.cos(angle) - across * np.sin(angle)
    where = (np.abs(beside) < 0.75) & (np.abs(along) < image.shape[0] * 3 / 16)
    return _coloured(image, where.astype(float), random), where


def flipped_eyes(image: np.ndarray, random: np.random.Generator) -> Planted:
    """Turn the eyes and brows of a built-in face upside down."""
    height, width = image.shape[:2]
    sides = (height, height, width, width)
    top, bottom, left, right = (round(share * side) for share, side in zip(EYES, sides, strict=True))
    changed = image.copy()
    changed[top:bottom, left:right] = image[top:bottom, left:right][::-1]
    return changed, (changed != image).any(-1)


DEFECTS: dict[str, Callable[[np.ndarray, np.random.Generator], Planted]] = {
    "patch": patch,
    "spot": spot,
    "scratch": scratch,
    "flipped eyes": flipped_eyes,
}


def planted(images: np.ndarray, name: str, seed: int = 0) -> Planted:
    """Plant a defect into each of the images (N, H, W, C); also return where, bool (N, H, W)."""
    random = np.random.default_rng(seed)
    pairs = [DEFECTS[name](image, random) for image in images]
    return np.stack([pair[0] for pair in pairs]), np.stack([pair[1] for pair in pairs])


def _place(image: np.ndarray, random: np.random.Generator) -> tuple[float, float]:
    """Draw a place in the middle half of an image."""
    return random.uniform(0.25, 0.75) * image.shape[0], random.uniform(0.25, 0.75) * image.shape[1]


def _distances(image: np.ndarray, down: float, across: float) -> tuple[np.ndarray, np.ndarray]:
    rows, columns = np.mgrid[: image.shape[0], : image.shape[1]]
    return rows - down, columns - across


def _coloured(image: np.ndarray, share: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Mix a random colour into an image, with a share (H, W) from 0 to 1."""
    colour = random.integers(0, 256, image.shape[2])
    return (image * (1 - share[..., None]) + colour * share[..., None]).round().astype(np.uint8)
