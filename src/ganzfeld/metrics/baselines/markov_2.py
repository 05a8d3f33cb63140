"""A Markov chain of order 2: a letter depends on the two before it, everywhere in the same way."""

import numpy as np

from ganzfeld.metrics.baselines._chains import chain_sample

KIND = "sequence"
WORDS = "Markov chain of order 2"


def sample(training: np.ndarray, num: int, seed: int, letters: str) -> np.ndarray:
    """Fit the chain to sequences (N, L, 1) and draw ``num`` others."""
    return chain_sample(training, num, seed, len(letters), order=2)
