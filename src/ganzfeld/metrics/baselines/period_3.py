"""A Markov chain of order 5 that knows the place in a codon (of proteins, order 2)."""

import numpy as np

from ganzfeld.metrics.baselines._chains import chain_sample, order_of

KIND = "sequence"
WORDS = "Markov chain of order 5 and period 3"


def sample(training: np.ndarray, num: int, seed: int, letters: str) -> np.ndarray:
    """Fit the chain to sequences (N, L, 1) and draw ``num`` others."""
    return chain_sample(training, num, seed, len(letters), order=order_of(5, letters), period=3)
