"""How well scores tell anomalous images from normal ones: the area under the ROC curve (AUROC).

It is the probability that an anomalous image has a higher score than a normal one, where equal scores count
half. Errors are those of DeLong, DeLong and Clarke-Pearson (1988), which cover the choice of the images.
"""

import math
from dataclasses import dataclass

import numpy as np

from ganzfeld.metrics.intervals import NORMAL_95


@dataclass(frozen=True)
class Ranking:
    """An AUROC with its 95 % interval, which covers the choice of the images."""

    auroc: float
    low: float
    high: float

    @property
    def text(self) -> str:
        """The figure with its interval, in words."""
        return f"{self.auroc:.3f} ({self.low:.3f} to {self.high:.3f})"

    def as_json(self) -> dict[str, float]:
        """Return it as plain data."""
        return {"value": round(self.auroc, 4), "low": round(self.low, 4), "high": round(self.high, 4)}


def auroc(scores: np.ndarray, is_anomalous: np.ndarray) -> float:
    """Return the AUROC of scores (N,), of which those of anomalous images (N,) should be higher."""
    return float(_shares(scores, is_anomalous)[0].mean())


def ranking(scores: np.ndarray, is_anomalous: np.ndarray) -> Ranking:
    """Return the AUROC of scores (N,) with its interval.

    The interval is Wilson's, for as many independent pairs as give DeLong's error, and no more than there are
    images. An AUROC of 1, whose error seems to be 0, is not certain: it counts as seen on as many pairs as
    there are images of the rarer kind.
    """
    shares = _shares(scores, is_anomalous)
    value = float(shares[0].mean())
    variance, spread = float(_covariance([shares])[0, 0]), value * (1 - value)
    sizes = [len(part) for part in shares]
    num = min(sum(sizes), spread / variance) if variance > 0 and spread > 0 else min(sizes)
    num = max(1.0, float(num))
    z2 = NORMAL_95**2 / num
    centre = (value + z2 / 2) / (1 + z2)
    half = math.sqrt(z2 * spread + z2**2 / 4) / (1 + z2)
    return Ranking(value, min(value, max(0.0, centre - half)), max(value, min(1.0, centre + half)))


def difference(first: np.ndarray, second: np.ndarray, is_anomalous: np.ndarray) -> tuple[float, float, float]:
    """Return the AUROC of the first scores minus that of the second, and its 95 % interval.

    Both are scores (N,) of the same images, so much of their error is shared.
    """
    pair = [_shares(scores, is_anomalous) for scores in (first, second)]
    value = float(pair[0][0].mean() - pair[1][0].mean())
    covariance = _covariance(pair)
    variance = covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1]
    half = NORMAL_95 * math.sqrt(max(0.0, float(variance)))
    return value, value - half, value + half


def _shares(scores: np.ndarray, is_anomalous: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the share of normal images below each anomalous one, and of anomalous above each normal."""
    high, low = scores[is_anomalous], scores[~is_anomalous]
    below = _num_below(np.sort(low), high) / len(low)
    above = 1 - _num_below(np.sort(high), low) / len(high)
    return below, above


def _num_below(ordered: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Return how many of the ordered scores are below each of the scores; equal ones count half."""
    sides = np.searchsorted(ordered, scores, "left") + np.searchsorted(ordered, scores, "right")
    return sides / 2


def _covariance(methods: list[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """Return the covariance of the AUROCs of several methods on the same images."""
    total = np.zeros((len(methods), len(methods)))
    for side in (0, 1):
        rows = np.stack([shares[side] for shares in methods])
        if rows.shape[1] > 1:
            total += np.cov(rows).reshape(total.shape) / rows.shape[1]
    return total
