"""Figures of other kinds of data than images, each beside the same figure of every baseline of the kind."""

from collections.abc import Callable
from types import ModuleType

import numpy as np

from ganzfeld.catalogue import Catalogue, did_you_mean
from ganzfeld.errors import UsageError
from ganzfeld.metrics.baselines import baselines, baselines_of
from ganzfeld.metrics.intervals import Figure
from ganzfeld.metrics.items import ItemComparison
from ganzfeld.metrics.maps import map_measures
from ganzfeld.metrics.measurement import Baseline, Measurement
from ganzfeld.metrics.measures import figure_names
from ganzfeld.metrics.sequences import sequence_measures
from ganzfeld.progress import CountCallback, silent

OF_KIND: dict[str, Catalogue] = {"map": map_measures, "sequence": sequence_measures}
"""The measures of each kind of data other than images."""

USED = {"map": "values", "sequence": "letters"}
"""What the measures of a kind use, as ``features`` of a measurement."""


def chosen_of(kind: str, names: list[str]) -> dict[str, str]:
    """Select figures of a kind by their names, or those of their measures; all if there are none.

    Returns the name of the measure of each. Raises ``UsageError`` for the figures of images, and with the
    most similar names for an unknown one.
    """
    catalogue = OF_KIND[kind]
    known = {figure: name for name in catalogue.names() for figure in catalogue.load(name).NAMES}
    wanted: dict[str, str] = {}
    for name in names:
        word = name.casefold().replace("-", "_")
        selection = {
            figure: home for figure, home in known.items() if word in (figure, home.replace("-", "_"))
        }
        if not selection:
            of_images = {*figure_names(), *(home.replace("-", "_") for home in figure_names().values())}
            message = f"{name} is for images" if word in of_images else f"unknown metric {name!r} of {kind}s"
            words = [*(figure.replace("_", "-") for figure in known), *known.values()]
            raise UsageError(message, did_you_mean(name, set(words)))
        wanted |= selection
    return wanted or known


def measure_items(
    comparison: ItemComparison, only: list[str], progress: CountCallback = silent
) -> list[Measurement]:
    """Measure all figures of a comparison, or ``only`` those with these names, with all baselines.

    Baselines are fitted to the training items, and make as many items as the generator made.
    """
    wanted = chosen_of(comparison.kind, only)
    names = baselines_of(comparison.kind)
    homes = list(dict.fromkeys(wanted.values()))
    steps = iter(range(1 + len(names)))
    total = 1 + len(names)

    def figures_of(what: str, items: Callable[[], np.ndarray]) -> dict[str, Figure]:
        progress(next(steps), total, f"measuring {what}")
        compared = comparison.of(items())
        entries = [OF_KIND[comparison.kind].load(home) for home in homes]
        return {figure.name: figure for entry in entries for figure in entry.measure(compared)}

    ours = figures_of("generated items", lambda: comparison.generated)
    theirs = {
        name: figures_of(f"the baseline {name}", lambda name=name: _made(comparison, name)) for name in names
    }
    progress(total, total, "measuring")
    return [
        _with_context(ours[name], comparison, OF_KIND[comparison.kind].load(home), theirs)
        for name, home in wanted.items()
        if name in ours
    ]


def _made(comparison: ItemComparison, name: str) -> np.ndarray:
    return baselines.load(name).sample(
        comparison.training, len(comparison.generated), comparison.seed, comparison.letters
    )


def _with_context(
    figure: Figure, comparison: ItemComparison, entry: ModuleType, theirs: dict[str, dict[str, Figure]]
) -> Measurement:
    beside = tuple(
        Baseline(name, figures[figure.name], entry.IS_DISTANCE and figures[figure.name].high < figure.low)
        for name, figures in theirs.items()
    )
    return Measurement(
        figure,
        *comparison.numbers,
        USED[comparison.kind],
        None,
        None,
        comparison.seed,
        entry.NAMES[figure.name],
        beside,
    )


def winners(measurements: list[Measurement]) -> list[str]:
    """Return one sentence for each baseline that is better than the generator in some figure."""
    sentences = []
    for name in dict.fromkeys(beside.name for entry in measurements for beside in entry.baselines):
        won = [
            entry.figure.name
            for entry in measurements
            for beside in entry.baselines
            if beside.name == name and beside.wins
        ]
        if won:
            words = baselines.load(name).WORDS
            sentences.append(
                f"baseline {name} ({words}) is nearer to the data than the generator: {', '.join(won)}"
            )
    return sentences
