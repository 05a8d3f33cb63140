"""Composition by position: which letters stand where, as in a start codon or at the rim of a motif."""

import numpy as np

from ganzfeld.metrics.intervals import Figure, jackknife, plain
from ganzfeld.metrics.items import ItemComparison
from ganzfeld.metrics.sequences._spectra import divergence

NAMES = {
    "position_divergence": (
        "mean over all positions of the Jensen-Shannon divergence of the letters there, in bits: 0 alike,"
        " 1 disjoint; grows with fewer sequences"
    ),
}
IS_DISTANCE = True


def measure(comparison: ItemComparison) -> list[Figure]:
    """Measure the divergence, with its error by the jackknife over tenths."""
    num = len(comparison.letters)

    def compute(mine: np.ndarray, theirs: np.ndarray) -> list[float]:
        counts = (
            counts_by_position(side[chosen], num)
            for side, chosen in ((comparison.generated, mine), (comparison.real, theirs))
        )
        return [float(divergence(*counts).mean())]

    (value,), (error,) = jackknife(compute, comparison.numbers, comparison.seed)
    return [plain("position_divergence", value, error, least=0.0)]


def counts_by_position(sequences: np.ndarray, num_letters: int) -> np.ndarray:
    """Return how often every letter stands at every position, (L, letters), from sequences (N, L, 1)."""
    letters = sequences[..., 0]
    return np.stack([(letters == letter).sum(0) for letter in range(num_letters)], -1)
