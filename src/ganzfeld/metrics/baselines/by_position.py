"""Letters by position: each position has its own frequencies, and no letter depends on another."""

import numpy as np

from ganzfeld.metrics.baselines._chains import chain_sample

KIND = "sequence"
WORDS = "model of each position by itself"


def sample(training: np.ndarray, num: int, seed: int, letters: str) -> np.ndarray:
    """Fit the chain to sequences (N, L, 1) and draw ``num`` others."""
    return chain_sample(training, num, seed, len(letters), order=0, period=training.shape[1])
