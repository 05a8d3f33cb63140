"""Thresholds for a stated rate of false alarms, from normal images that the detector was not fitted to.

If an image is as normal as the n normal ones, its score is equally likely to take each of the n + 1 places
among theirs. So the k-th smallest score of n is exceeded with probability 1 - k / (n + 1), on average over
the choice of the n images (Vovk, Gammerman and Shafer 2005). This needs scores from a detector that saw none
of them; they are scored in tenths, each by a detector that is fitted to the other nine.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ganzfeld.errors import DataError, UsageError

FOLDS = 10
LEAST_NORMAL = 20
MOST_RATE = 0.5
ORDER = 0xA11
"""The seed of the order in which images are put into tenths."""
COVERED = 0.95

Scorer = Callable[[np.ndarray], np.ndarray]
"""From images (N, ...) to one row each."""


@dataclass(frozen=True)
class Calibrated:
    """Scores (N,) of images, those of normal images that nothing was fitted to, and the threshold."""

    scores: np.ndarray
    normal_scores: np.ndarray
    threshold: float

    @property
    def is_flagged(self) -> np.ndarray:
        """Which images are above the threshold, bool (N,)."""
        return self.scores > self.threshold


def require_rate(rate: float) -> None:
    """Raise ``UsageError`` unless this can be a rate of false alarms."""
    if isinstance(rate, bool) or not isinstance(rate, int | float) or not 0 < rate <= MOST_RATE:
        raise UsageError(
            f"the rate of false alarms is above 0 and at most {MOST_RATE}, not {rate!r}",
            "0.05 flags one normal image in twenty.",
        )


def num_needed(rate: float) -> int:
    """Return how many normal images a threshold for a rate of false alarms needs.

    >>> num_needed(0.05), num_needed(0.01)
    (20, 99)
    """
    return max(LEAST_NORMAL, math.ceil(1 / rate - 1e-9) - 1)


def require_normal(num: int, rate: float) -> None:
    """Raise ``DataError`` for fewer normal images than a rate of false alarms needs."""
    needed = num_needed(rate)
    if num < needed:
        least = f"; {num} allow a rate of {1 / (num + 1):.3g}" if num >= LEAST_NORMAL else ""
        raise DataError(
            f"a rate of false alarms of {rate:g} needs {needed:,} normal images or more, and there"
            f" {'is' if num == 1 else 'are'} {num}{least}",
            "Give more normal images" + (", or a higher rate." if least else "."),
        )


def out_of_fold(values: np.ndarray, fit: Callable[[np.ndarray], Scorer]) -> np.ndarray:
    """Return a row for each of the values (N, ...), from a scorer that was fitted without it.

    The order in which values are left out, a tenth at a time, is fixed.
    """
    order = np.random.default_rng(ORDER).permutation(len(values))
    folds = np.array_split(order, min(FOLDS, len(values)))
    parts = [fit(values[np.setdiff1d(order, fold)])(values[fold]) for fold in folds]
    rows = np.concatenate(parts)
    restored = np.empty_like(rows)
    restored[np.concatenate(folds)] = rows
    return restored


def rank_for(num: int, rate: float) -> int:
    """Return which of ``num`` sorted scores, counted from 1, is the threshold for a rate of false alarms."""
    return min(num, math.ceil((num + 1) * (1 - rate) - 1e-9))


def threshold_of(scores: np.ndarray, rate: float) -> float:
    """Return the threshold that a normal image exceeds with probability ``rate`` at most.

    ``scores`` (n,) are those of normal images from a detector that was not fitted to them.
    """
    return float(np.sort(scores)[rank_for(len(scores), rate) - 1])


def rate_interval(num: int, rate: float) -> tuple[float, float]:
    """Return the 95 % interval of the true rate of false alarms at the threshold from ``num`` images.

    The true rate follows the beta distribution with parameters n + 1 - k and k, for the k-th smallest score.
    """
    above, tail = num + 1 - rank_for(num, rate), (1 - COVERED) / 2
    return _beta_quantile(num, above, tail), _beta_quantile(num, above, 1 - tail)


def _beta_quantile(num: int, above: int, probability: float) -> float:
    """Return the quantile of the beta distribution with parameters ``above`` and ``num + 1 - above``."""
    low, high = 0.0, 1.0
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if _at_least(num, above, middle) < probability else (low, middle)
    return (low + high) / 2


def _at_least(num: int, least: int, share: float) -> float:
    """Return the probability that at least ``least`` of ``num`` independent tries of this share succeed."""
    counts = np.arange(least, num + 1)
    logs = np.array([math.lgamma(count + 1) + math.lgamma(num - count + 1) for count in counts.tolist()])
    powers = counts * math.log(share) + (num - counts) * math.log1p(-share)
    return float(np.exp(math.lgamma(num + 1) - logs + powers).sum())
