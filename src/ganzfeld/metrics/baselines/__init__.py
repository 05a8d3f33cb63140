"""Baselines: simple models of a field, fitted to the training data, that a generator must beat to be of use.

An entry is one file that defines

- ``KIND``: the kind of data that it is for;
- ``WORDS``: what it is, in words that follow "a" or "an" in a sentence;
- ``sample(training, num, seed, letters) -> items``: fit it to items (N, *size, channels), and draw ``num``
  items of the same size and type. It is a pure function.
"""

from ganzfeld.catalogue import Catalogue

baselines = Catalogue("ganzfeld.metrics.baselines", "baseline")


def baselines_of(kind: str) -> list[str]:
    """Return the names of the baselines for a kind of data."""
    return [name for name in baselines.names() if kind == baselines.load(name).KIND]
