"""The table: what each change does to the kernel distance, paired by seed, and what is decided.

A cell's difference is the mean, over the seeds that both have, of its kernel distance minus that of the cell
it is compared with. Its interval and its probability are Student's. Since many cells are tested at once, a
verdict needs Benjamini & Hochberg's (1995) correction: of all verdicts "better" and "worse" at most 5 % are
expected to be wrong. ``family_wise`` says which ones also stand Holm's (1979) stricter correction, by which
the probability of even one wrong verdict is at most 5 %.
"""

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

from ganzfeld.lab.ablations.cells import BASE, Cell
from ganzfeld.lab.ablations.results import Result
from ganzfeld.lab.student import half_width, tail

LEVEL = 0.05
Verdict = Literal["better", "worse", "not decided", "base"]


class Row(NamedTuple):
    """One row: a cell, its mean distance over its runs, and its difference from its counterpart.

    ``half_width`` is that of the 95 % interval of the difference. Both are NaN with fewer than two pairs, and
    for the base. ``num_stopped`` runs met a number that was not finite.
    """

    cell: Cell
    num_runs: int
    num_pairs: int
    mean: float
    difference: float
    half_width: float
    probability: float
    adjusted: float
    family_wise: bool
    verdict: Verdict
    seconds: float
    num_stopped: int

    def as_json(self) -> dict[str, Any]:
        """Return the row as plain data; numbers that are not there are None."""
        numbers = ("mean", "difference", "half_width", "probability", "adjusted", "seconds")
        values = {name: getattr(self, name) for name in numbers}
        return {
            "cell": self.cell.key,
            "group": self.cell.group,
            "name": self.cell.name,
            "against": self.cell.against,
            "num_runs": self.num_runs,
            "num_pairs": self.num_pairs,
            **{name: value if math.isfinite(value) else None for name, value in values.items()},
            "family_wise": self.family_wise,
            "verdict": self.verdict,
            "num_stopped": self.num_stopped,
        }


def table_of(results: Sequence[Result], cells: Sequence[Cell]) -> list[Row]:
    """Return one row per cell. The corrections count all cells, also those whose runs are missing."""
    by_cell: dict[str, dict[int, Result]] = {cell.key: {} for cell in cells}
    for result in results:
        if result.cell in by_cell:
            by_cell[result.cell][result.seed] = result
    tested = [cell for cell in cells if cell.key != BASE]
    tests = {cell.key: paired(by_cell[cell.key], by_cell[cell.against]) for cell in tested}
    probabilities = [tests[cell.key].probability for cell in tested]
    adjusted = dict(zip(tests, false_discovery(probabilities), strict=True))
    strict = dict(zip(tests, holm(probabilities), strict=True))
    return [_row(cell, by_cell[cell.key], tests.get(cell.key), adjusted, strict) for cell in cells]


class Paired(NamedTuple):
    """A mean difference over ``num`` pairs, the half width of its 95 % interval, and its probability."""

    num: int
    difference: float
    half_width: float
    probability: float


def paired(own: Mapping[int, Result], others: Mapping[int, Result]) -> Paired:
    """Compare the kernel distances of two cells at the seeds that both have, by Student's paired test."""
    seeds = sorted(own.keys() & others.keys())
    differences = [own[seed].kernel_distance - others[seed].kernel_distance for seed in seeds]
    if len(differences) < 2:
        return Paired(len(differences), math.fsum(differences or [math.nan]), math.nan, 1.0)
    mean, error = statistics.fmean(differences), statistics.stdev(differences) / math.sqrt(len(differences))
    freedom = len(differences) - 1
    if error == 0:
        return Paired(len(differences), mean, 0.0, 1.0 if mean == 0 else 0.0)
    return Paired(
        len(differences), mean, half_width(error, freedom, 1 - LEVEL), 2 * tail(abs(mean / error), freedom)
    )


def _row(
    cell: Cell,
    own: Mapping[int, Result],
    test: Paired | None,
    adjusted: Mapping[str, float],
    strict: Mapping[str, float],
) -> Row:
    distances = [result.kernel_distance for result in own.values()]
    seconds = [result.seconds for result in own.values()]
    stopped = sum(result.stopped_at is not None for result in own.values())
    means = [statistics.fmean(numbers) if numbers else math.nan for numbers in (distances, seconds)]
    if test is None:
        nothing = math.nan
        return Row(
            cell,
            len(own),
            0,
            means[0],
            nothing,
            nothing,
            nothing,
            nothing,
            False,
            "base",
            means[1],
            stopped,
        )
    decided: Verdict = "better" if test.difference < 0 else "worse"
    return Row(
        cell,
        len(own),
        test.num,
        means[0],
        test.difference,
        test.half_width,
        test.probability,
        adjusted[cell.key],
        strict[cell.key] < LEVEL,
        decided if adjusted[cell.key] < LEVEL else "not decided",
        means[1],
        stopped,
    )


def false_discovery(probabilities: Sequence[float]) -> list[float]:
    """Return probabilities adjusted for the false discovery rate (Benjamini & Hochberg 1995)."""
    num = len(probabilities)
    adjusted, least = [1.0] * num, 1.0
    for rank, index in reversed(list(enumerate(_ascending(probabilities), start=1))):
        least = min(least, probabilities[index] * num / rank)
        adjusted[index] = least
    return adjusted


def holm(probabilities: Sequence[float]) -> list[float]:
    """Return probabilities adjusted for the family-wise error rate (Holm 1979)."""
    num = len(probabilities)
    adjusted, largest = [1.0] * num, 0.0
    for rank, index in enumerate(_ascending(probabilities)):
        largest = max(largest, min(1.0, (num - rank) * probabilities[index]))
        adjusted[index] = largest
    return adjusted


def _ascending(numbers: Sequence[float]) -> list[int]:
    return sorted(range(len(numbers)), key=numbers.__getitem__)
