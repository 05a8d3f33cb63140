"""K-mer spectra: how often every word of 1 to 6 letters occurs, anywhere in a sequence."""

import numpy as np

from ganzfeld.metrics.intervals import Figure, jackknife, plain
from ganzfeld.metrics.items import ItemComparison
from ganzfeld.metrics.sequences._spectra import MOST_WORDS, divergence, words_of

LENGTHS = range(1, 7)
NAMES = {
    f"kmer_{length}_divergence": (
        f"Jensen-Shannon divergence of the frequencies of words of {length} letters, in bits:"
        " 0 alike, 1 disjoint; grows with fewer sequences"
    )
    for length in LENGTHS
}
IS_DISTANCE = True


def measure(comparison: ItemComparison) -> list[Figure]:
    """Measure the divergences, with their errors by the jackknife over tenths.

    Words longer than a sequence, or of too many kinds (long ones of proteins), are left out.
    """
    num_letters = len(comparison.letters)
    lengths = [
        length
        for length in LENGTHS
        if length <= comparison.real.shape[1] and num_letters**length <= MOST_WORDS
    ]
    sides = (comparison.generated, comparison.real)
    words = {length: [words_of(side, length, num_letters) for side in sides] for length in lengths}

    def compute(mine: np.ndarray, theirs: np.ndarray) -> list[float]:
        return [
            float(divergence(*(_counts(side[chosen], num_letters**length) for side, chosen in pairs)))
            for length in lengths
            for pairs in [list(zip(words[length], (mine, theirs), strict=True))]
        ]

    values, errors = jackknife(compute, comparison.numbers, comparison.seed)
    return [
        plain(f"kmer_{length}_divergence", value, error, least=0.0)
        for length, value, error in zip(lengths, values, errors, strict=True)
    ]


def _counts(words: np.ndarray, num: int) -> np.ndarray:
    return np.bincount(words.ravel(), minlength=num)
