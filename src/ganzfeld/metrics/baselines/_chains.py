"""Markov chains of letters, whose probabilities may depend on the position."""

import numpy as np

PSEUDOCOUNT = 0.01
"""Added to every count, so that every letter remains possible after words that hardly occur."""


def chain_sample(
    training: np.ndarray, num: int, seed: int, num_letters: int, order: int, period: int = 1
) -> np.ndarray:
    """Fit a chain to sequences (N, L, 1) and draw ``num`` others of the same length.

    A letter depends on the ``order`` letters before it, and on its position modulo ``period``; the letters
    at the beginning depend on all those before them. ``period`` = L gives every position its own letters.
    """
    random = np.random.default_rng((seed, order, period))
    letters = training[..., 0].astype(np.int64)
    length = letters.shape[1]
    made = np.zeros((num, length), np.int64)
    tables: dict[tuple[int, int], np.ndarray] = {}
    for place in range(length):
        known = min(order, place)
        # The first letters are drawn from how sequences begin, the others from all places of the phase.
        key = (known, place % period) if known == order else (known, -1 - place)
        if key not in tables:
            places = range(place, length, period) if known == order else (place,)
            tables[key] = _table(letters, places, known, num_letters)
        shares = tables[key][_words(made, place, known, num_letters)]
        draws = random.random(num)[:, None]
        made[:, place] = np.minimum((draws > shares.cumsum(1)).sum(1), num_letters - 1)
    return made[..., None].astype(training.dtype)


def _words(letters: np.ndarray, place: int, known: int, num_letters: int) -> np.ndarray:
    """Return the number of the word of the ``known`` letters before a place, (N,)."""
    words = np.zeros(len(letters), np.int64)
    for at in range(place - known, place):
        words = words * num_letters + letters[:, at]
    return words


def _table(letters: np.ndarray, places: range | tuple[int], known: int, num_letters: int) -> np.ndarray:
    """Return the share of every letter after every word, (words, letters)."""
    counts = np.full(num_letters ** (known + 1), PSEUDOCOUNT)
    for place in places:
        numbers = _words(letters, place, known, num_letters) * num_letters + letters[:, place]
        counts += np.bincount(numbers, minlength=len(counts))
    table = counts.reshape(-1, num_letters)
    return table / table.sum(1, keepdims=True)


def order_of(asked: int, letters: str) -> int:
    """Return the order that an alphabet of more than four letters allows: the table has as many words."""
    return min(asked, int(asked * np.log(4) / np.log(len(letters))))
