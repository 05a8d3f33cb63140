"""Measurements of live networks over several runs: one run as an example, or five with an interval.

Images of one run tell how well that run is known, not how far the next one would be; a statement about
training needs several runs. So the ``in_situ`` of an experiment measures one run, and the lab repeats it by
``over_runs``. With ``--thorough`` there are ``NUM_RUNS``, from seeds of their own: each figure is then their
mean with Student's interval. Otherwise, and for a run of the user's, there is one, and its figures are
examples, which decide nothing. Figures with ``identity=True`` are true or false in every run by itself: all
must agree, and one run is enough.
"""

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

from ganzfeld.lab.estimate import Estimate, example, mean_and_error
from ganzfeld.lab.live import Live
from ganzfeld.lab.outcome import Measured

NUM_RUNS = 5
"""Number of runs that are measured with ``--thorough``."""

OfRun = Callable[[Live, int], tuple[Sequence[Measured], dict[str, Any]]]
"""Measures one run with a seed of its own: its figures, and the data that drawings show."""


def runs_of(live: Live, settings: Mapping[str, Any] | None = None) -> list[Live]:
    """Return the runs to measure: this one, and with ``--thorough`` four more of the same recipe from other
    seeds. ``settings`` are changed in all of them, as by ``Live.variant``.
    """
    if not live.thorough or live.of_user:
        return [live.variant(settings) if settings else live]
    first = live.training.seed
    return [live.variant(settings, seed=first + offset) for offset in range(NUM_RUNS)]


def over_runs(live: Live, seed: int, measure: OfRun) -> tuple[list[Measured], dict[str, Any]]:
    """Measure every run of ``runs_of``, and return the figures over all of them, with the data of the first
    and, as ``runs``, of all.

    ``measure(run, seed)`` gets another seed for each run, so that nothing random is common to them. It must
    return the same keys for every run.
    """
    figures_of_runs, data_of_runs = [], []
    for number, run in enumerate(runs_of(live)):
        figures, data = measure(run, seed + number)
        figures_of_runs.append(figures)
        data_of_runs.append(data)
    return [merged(same) for same in zip(*figures_of_runs, strict=True)], data_of_runs[0] | {
        "runs": data_of_runs
    }


def estimate_over_runs(values: Sequence[float]) -> Estimate:
    """Return the mean of one value per run with its standard error; an example if there is one run."""
    if len(values) == 1:
        return example(values[0])
    return mean_and_error(torch.tensor(values, dtype=torch.float64))


def merged(figures: Sequence[Measured]) -> Measured:
    """Join the same figure of several runs into one; of an identity, return that of the worst run."""
    first = figures[0]
    assert all(figure.key == first.key for figure in figures), f"runs have other figures than {first.key}"
    if first.identity:
        return max(figures, key=_distance)
    value, error, dof = estimate_over_runs([figure.value for figure in figures])
    changes = {"value": value, "error": error, "dof": dof, "num_trainings": len(figures)}
    if first.expected is None:
        return dataclasses.replace(first, **changes)
    expected = [figure.expected for figure in figures if figure.expected is not None]
    if len(set(expected)) == 1 and not first.expected_error:
        return dataclasses.replace(first, **changes)
    return _against_rival(figures, changes)


def _against_rival(figures: Sequence[Measured], changes: dict[str, Any]) -> Measured:
    """Join figures whose expected value differs from run to run.

    Both come from the same run, so what has an error is their difference: the whole of it is given to the
    value, and the expected value is the mean, without one.
    """
    expected = [float("nan") if figure.expected is None else figure.expected for figure in figures]
    differences = [figure.value - other for figure, other in zip(figures, expected, strict=True)]
    _, error, dof = estimate_over_runs(differences)
    return dataclasses.replace(
        figures[0],
        **changes | {"error": error, "dof": dof},
        expected=math.fsum(expected) / len(expected),
        expected_error=0.0,
        expected_dof=math.inf,
    )


def _distance(figure: Measured) -> float:
    """Return how far an identity is from what it must be; not a number counts as infinitely far."""
    distance = abs(figure.value - (figure.expected or 0.0))
    return math.inf if math.isnan(distance) else distance
