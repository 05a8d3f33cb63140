"""Measures: how generated pictures differ from real ones, in figures with intervals.

An entry is one file that defines

- ``measure(comparison) -> list[Figure]``: a pure function of the comparison, its seed included;
- ``NAMES``: for each figure that it gives one sentence that says what the number means and its range;
- ``FEATURES``: whether it looks at features, and not at pixels.

The name of a figure is given once in the whole folder. Nothing is called FID here: that is the Fréchet
distance in the feature space of one certain Inception network, with 50,000 pictures.
"""

from ganzfeld.catalogue import Catalogue, did_you_mean
from ganzfeld.errors import UsageError

measures = Catalogue("ganzfeld.metrics.measures", "metric")


def figure_names() -> dict[str, str]:
    """The name of the measure that gives each figure."""
    return {figure: name for name in measures.names() for figure in measures.load(name).NAMES}


def chosen(names: list[str]) -> dict[str, str]:
    """Of ``figure_names`` those of the measures or figures given; all of them if none is.

    Raises ``UsageError`` with the nearest names for an unknown one.
    """
    known = figure_names()
    wanted: dict[str, str] = {}
    for name in names:
        word = name.casefold().replace("-", "_")
        of_measure = {figure: home for figure, home in known.items() if home.replace("-", "_") == word}
        found = {word: known[word]} if word in known else of_measure
        if not found:
            words = {*(each.replace("_", "-") for each in known), *known.values()}
            raise UsageError(f"unknown metric {name!r}", did_you_mean(name, words))
        wanted |= found
    return wanted or known
