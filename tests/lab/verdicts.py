"""The verdicts on the sentences of a claim, by their keys."""

from collections.abc import Iterable

from ganzfeld.lab import Measured, verdict_of
from ganzfeld.lab.outcome import Verdict, every


def verdicts(figures: Iterable[Measured]) -> dict[str, Verdict]:
    """Return the verdict on every sentence that these figures test."""
    figures = every(figures)
    keys = dict.fromkeys(figure.of for figure in figures if figure.of)
    return {key: verdict_of(figure for figure in figures if figure.of == key) for key in keys}
