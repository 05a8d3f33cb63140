"""Measures: how generated images differ from real ones, in figures with intervals.

An entry is one file that defines

- ``measure(comparison) -> list[Figure]``: a pure function of the comparison, its seed included;
- ``NAMES``: for each figure that it gives one sentence that says what the number means and its range;
- ``FEATURES``: whether it looks at features, and not at pixels;
- ``SPACE``, if it means something in one feature space alone: the SHA-256 of that one's weights.

The name of a figure is given once in the whole folder.
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


def with_meaning(wanted: dict[str, str], space_sha256: str | None, *, asked_for: bool) -> dict[str, str]:
    """Of ``chosen`` figures those that mean something in the feature space of this digest.

    Raises ``UsageError`` where one that was ``asked_for`` by its name does not.
    """
    without = {
        figure
        for figure, home in wanted.items()
        if getattr(measures.load(home), "SPACE", space_sha256) != space_sha256
    }
    if without and asked_for:
        names = " and ".join(sorted(without))
        raise UsageError(
            f"{names} is measured in one feature space alone, and this is another",
            "Give the file weights-inception-2015-12-05-6726825d.pth as feature space; see docs/metrics.md.",
        )
    return {figure: home for figure, home in wanted.items() if figure not in without}
