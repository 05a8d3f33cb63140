"""Measures: how generated images differ from real ones, as figures with intervals.

An entry is one file that defines

- ``measure(comparison) -> list[Figure]``: a pure function of the comparison, its seed included;
- ``NAMES``: one sentence for each figure that it returns, with the meaning of the number and its range;
- ``FEATURES``: whether it uses features rather than pixels;
- ``SPACE``, if it is defined in one feature space only: the SHA-256 of the weights of that space.

Names of figures are unique within the folder.
"""

from ganzfeld.catalogue import Catalogue, did_you_mean
from ganzfeld.errors import UsageError

measures = Catalogue("ganzfeld.metrics.measures", "metric")


def figure_names() -> dict[str, str]:
    """Return the name of the measure of each figure, by the name of the figure."""
    return {figure: name for name in measures.names() for figure in measures.load(name).NAMES}


def chosen(names: list[str]) -> dict[str, str]:
    """Select from ``figure_names`` the figures or measures with these names; all if there are none.

    Raises ``UsageError`` with the most similar names for an unknown one.
    """
    known = figure_names()
    wanted: dict[str, str] = {}
    for name in names:
        word = name.casefold().replace("-", "_")
        of_measure = {
            figure: measure for figure, measure in known.items() if measure.replace("-", "_") == word
        }
        selection = {word: known[word]} if word in known else of_measure
        if not selection:
            words = {*(figure.replace("_", "-") for figure in known), *known.values()}
            raise UsageError(f"unknown metric {name!r}", did_you_mean(name, words))
        wanted |= selection
    return wanted or known


def with_meaning(wanted: dict[str, str], space_sha256: str | None, *, asked_for: bool) -> dict[str, str]:
    """Select from ``chosen`` figures those that are defined in the feature space with this digest.

    Raises ``UsageError`` if the user ``asked_for`` a figure by name that is not.
    """
    without = {
        figure
        for figure, measure in wanted.items()
        if getattr(measures.load(measure), "SPACE", space_sha256) != space_sha256
    }
    if without and asked_for:
        names = " and ".join(sorted(without))
        raise UsageError(
            f"{names} is defined in one feature space only, and this is another one",
            "Give the file weights-inception-2015-12-05-6726825d.pth as the feature space; see "
            "docs/metrics.md.",
        )
    return {figure: measure for figure, measure in wanted.items() if figure not in without}
