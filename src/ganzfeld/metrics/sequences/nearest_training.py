"""Copies: are generated sequences nearer to training sequences than training sequences are to each other?

The distance of two sequences is the number of positions with different letters. As many training sequences
are searched as there are real ones in the comparison.
"""

import numpy as np
import torch
from torch import Tensor

from ganzfeld.metrics.intervals import Figure, jackknife, share
from ganzfeld.metrics.items import ItemComparison
from ganzfeld.metrics.measures.memorisation import memorised

NAMES = {
    "copied_sequences": (
        "share of generated sequences nearer, in letters that differ, to one of the training set than 95 % of"
        " these are to another: at most 0.05 is usual, more is copying"
    ),
}
IS_DISTANCE = False


def measure(comparison: ItemComparison) -> list[Figure]:
    """Measure the share, with its error by the jackknife over tenths."""
    num = len(comparison.letters)
    random = np.random.default_rng(comparison.seed)
    searched = random.permutation(len(comparison.training))[: len(comparison.real)]
    ours, theirs = (_marks(side, num) for side in (comparison.generated, comparison.training[searched]))
    between = hamming(ours, theirs)
    among = hamming(theirs, theirs).fill_diagonal_(torch.inf)
    (value,), (error,) = jackknife(
        lambda mine, other: [memorised(between[mine][:, other], among[other][:, other])],
        between.shape,
        comparison.seed,
    )
    return [share("copied_sequences", value, error, len(between))]


def hamming(x: Tensor, y: Tensor) -> Tensor:
    """Return the number of positions that differ (N, M), of marks (N, L, letters) and (M, L, letters)."""
    return x.shape[1] - x.flatten(1) @ y.flatten(1).T


def _marks(sequences: np.ndarray, num_letters: int) -> Tensor:
    letters = torch.from_numpy(sequences[..., 0].astype(np.int64))
    return torch.nn.functional.one_hot(letters, num_letters).float()
