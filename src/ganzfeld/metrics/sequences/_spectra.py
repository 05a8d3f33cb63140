"""What measures of sequences share: numbers of words, and the divergence of two distributions."""

import numpy as np

MOST_WORDS = 2**17
"""Longer words than this many different ones would hardly occur twice in any data."""


def words_of(sequences: np.ndarray, length: int, num_letters: int) -> np.ndarray:
    """Return the number of the word that begins at each place: (N, places), from letters (N, L, 1)."""
    letters = sequences[..., 0].astype(np.int64)
    places = letters.shape[1] - length + 1
    words = np.zeros((len(letters), places), np.int64)
    for place in range(length):
        words = words * num_letters + letters[:, place : place + places]
    return words


def divergence(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return the Jensen-Shannon divergence in bits (...), from counts (..., words): 0 alike, 1 disjoint.

    Source: Lin 1991, eq. 4.1. Raises nothing: counts that are all 0 count as alike.
    """
    shares = [counts / np.maximum(counts.sum(-1, keepdims=True), 1) for counts in (first, second)]
    middle = (shares[0] + shares[1]) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        parts = [np.where(share > 0, share * np.log2(share / middle), 0) for share in shares]
    return np.clip((parts[0] + parts[1]).sum(-1) / 2, 0, 1)
