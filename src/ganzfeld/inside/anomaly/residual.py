"""What is usual in residuals of normal images, heat maps of what is not, and scores of images.

A residual is an image minus its reproduction, in levels from -255 to 255. Residuals of normal images are not
alike everywhere: edges move, hair is drawn badly. So

1. what residuals of normal images usually have in common, their mean and the directions in which they vary
   the most, is taken off;
2. the square of what remains is divided by its mean over normal images at the same pixel;
3. the ratios are averaged over neighbourhoods: the root is the heat map, 1 where an image is as usual.

An anomaly may be a few pixels, a spot, or all of the image. So the largest ratio at each of three scales is
compared with those of normal images: the score is how many standard deviations its logarithm lies above
theirs, at the scale where this is the most.
"""

from dataclasses import dataclass

import numpy as np

from ganzfeld.inside.anomaly.calibration import out_of_fold
from ganzfeld.inside.anomaly.linear import Linear, fit_linear, num_directions
from ganzfeld.inversion.images import ROUNDING

FLOOR = 0.25
"""The share of the mean over all pixels that is added to what is usual at each, which few images tell."""
BLUR = 1 / 40
"""The standard deviation of the neighbourhood of a pixel, as a share of the shorter side."""
LEAST_SPREAD = 1e-3
"""The least standard deviation of logarithms, for normal images that are all alike."""
MOST_SCORE = 1e6


@dataclass(frozen=True)
class Usual:
    """What is usual in residuals of normal images.

    - ``linear``: what they have in common;
    - ``squares`` (H, W): the mean square of what remains, in squared levels;
    - ``centre`` and ``spread`` (scales,): mean and standard deviation of the logarithm of the largest ratio.
    """

    linear: Linear
    squares: np.ndarray
    centre: np.ndarray
    spread: np.ndarray

    def ratios(self, residuals: np.ndarray) -> np.ndarray:
        """Return squares of residuals (N, H, W, C) as multiples of what is usual at each pixel, (N, H, W)."""
        remainder = self.linear.remainder(residuals.reshape(len(residuals), -1))
        return mean_squares(remainder.reshape(residuals.shape)) / with_floor(self.squares)

    def scores(self, ratios: np.ndarray) -> np.ndarray:
        """Return how far images with these ratios (N, H, W) are from normal, float64 (N,)."""
        return highest((logarithms(ratios) - self.centre) / self.spread)


def fit_usual(residuals: np.ndarray) -> tuple[Usual, np.ndarray, np.ndarray]:
    """Learn what is usual from residuals of normal images, float32 (N, H, W, C).

    Also returns their own ratios (N, H, W) and scores (N,), in which nothing was fitted to the image itself:
    directions are those of other tenths, means and deviations those of all other images.
    """
    num = len(residuals)
    flat, directions = residuals.reshape(num, -1), num_directions(num)
    remainders = out_of_fold(flat, lambda part: fit_linear(part, directions).remainder)
    squares = mean_squares(remainders.reshape(residuals.shape))
    total = squares.sum(0, dtype=np.float64)
    others = np.maximum(total - squares, 0) / (num - 1)
    ratios = squares / with_floor(others)
    logs = logarithms(ratios)
    centre, spread = logs.mean(0), np.maximum(logs.std(0, ddof=1), LEAST_SPREAD)
    usual = Usual(fit_linear(flat, directions), total / num, centre, spread)
    return usual, ratios.astype(np.float32), highest(deviations_from_others(logs))


def mean_squares(residuals: np.ndarray) -> np.ndarray:
    """Return the mean square of residuals (N, H, W, C) over the channels, (N, H, W)."""
    return np.square(residuals).mean(-1)


def with_floor(squares: np.ndarray) -> np.ndarray:
    """Return usual squares (..., H, W), never below a share of their mean, nor below what rounding causes."""
    return squares + FLOOR * squares.mean((-2, -1), keepdims=True) + ROUNDING


def logarithms(ratios: np.ndarray) -> np.ndarray:
    """Return the logarithm of the largest ratio of images (N, H, W) at each scale, (N, scales).

    The scales are a pixel, the neighbourhood of a pixel, and the whole image.
    """
    largest = [ratios.max((1, 2)), blurred(ratios).max((1, 2)), ratios.mean((1, 2))]
    return np.log(np.maximum(np.stack(largest, 1).astype(np.float64), 1e-12))


def heat_maps(ratios: np.ndarray) -> np.ndarray:
    """Return heat maps, float32 (N, H, W): root mean square multiples of what is usual around a pixel."""
    return np.sqrt(blurred(ratios)).astype(np.float32)


def blurred(maps: np.ndarray) -> np.ndarray:
    """Return maps (N, H, W) averaged with Gaussian weights, whose sum is 1 at the border too."""
    height, width = maps.shape[1:]
    deviation = BLUR * min(height, width)
    return gaussian_weights(height, deviation) @ maps @ gaussian_weights(width, deviation).T


def gaussian_weights(size: int, deviation: float) -> np.ndarray:
    """Return the matrix (size, size) that averages a line with Gaussian weights; its rows sum to 1."""
    distance = np.arange(size)[:, None] - np.arange(size)
    weights = np.exp(-0.5 * (distance / deviation) ** 2)
    return (weights / weights.sum(1, keepdims=True)).astype(np.float32)


def deviations_from_others(logs: np.ndarray) -> np.ndarray:
    """Return how many standard deviations of the other rows each row (N, scales) is above their mean."""
    num = len(logs) - 1
    centred = logs - logs.mean(0)  # so that the difference of squares below is exact enough
    mean = (centred.sum(0) - centred) / num
    variance = np.maximum(((centred**2).sum(0) - centred**2) / num - mean**2, 0) * num / (num - 1)
    return (centred - mean) / np.maximum(np.sqrt(variance), LEAST_SPREAD)


def highest(deviations: np.ndarray) -> np.ndarray:
    """Return the largest deviation (N, scales) over the scales, (N,)."""
    return deviations.max(1).clip(-MOST_SCORE, MOST_SCORE)
