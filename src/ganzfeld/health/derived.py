"""Readings that follow from others: what only the whole of a run can show, not one look at it."""

from collections.abc import Callable
from itertools import pairwise

import numpy as np

from ganzfeld.health.evidence import RunEvidence, Series

MOST_TIMES = 1000.0
"""What is worse than that is as bad."""

_STANDARD_ERRORS = 1.96
"""Either way: the interval in which a figure lies with 95 % probability."""


def series_of(run: RunEvidence, name: str) -> Series:
    """A reading of the journal, or one that follows from them, through time."""
    return run.once(name, lambda: DERIVED[name](run)) if name in DERIVED else run.series(name)


def _together(*all_series: Series) -> tuple[np.ndarray, list[np.ndarray]]:
    """The images seen and the values of several readings where all of them were read."""
    images = all_series[0].images
    for series in all_series[1:]:
        images = np.intersect1d(images, series.images)
    # Of several values at one place the last counts.
    by_images = [dict(zip(each.images.tolist(), each.values.tolist(), strict=True)) for each in all_series]
    return images, [np.array([values[at] for at in images.tolist()]) for values in by_images]


def _growth(side: str) -> Callable[[RunEvidence], Series]:
    """Size of the weights as a multiple of what it was at half as many images.

    So a run of any length is compared with itself; read once half of the way has been read.
    """

    def growth(run: RunEvidence) -> Series:
        series = run.series(f"weight_size_{side}")
        if not len(series):
            return series
        halfway = series.images / 2
        before = np.interp(halfway, series.images, series.values)
        there = (halfway >= series.images[0]) & (before > 0)
        return Series(series.images[there], series.values[there] / before[there])

    return growth


def _full_update(side: str) -> Callable[[RunEvidence], Series]:
    """Size of a step beside the weights, as it would be with the whole learning rate of the recipe.

    Adam's steps are in proportion to the rate, which schedules lower on purpose: at other steps in a run of
    another length. Where nothing of it is left, there is nothing to say.
    """

    def full(run: RunEvidence) -> Series:
        series = run.series(f"update_ratio_{side}")
        begins = np.maximum(0, series.images - run.recipe["batch"])
        rates = np.array([run.rate_at(images) for images in begins.tolist()])
        there = rates > 0
        return Series(series.images[there], series.values[there] / rates[there])

    return full


def _full_step(side: str) -> Callable[[RunEvidence], Series]:
    """The same beside what the weights were at first.

    Weights grow while they learn, and the same steps are less beside them: that alone is no standstill.
    """

    def full(run: RunEvidence) -> Series:
        images, (ratio, size) = _together(
            series_of(run, f"full_update_{side}"), run.series(f"weight_size_{side}")
        )
        return Series(images, ratio * size / size[0] if len(size) and size[0] > 0 else ratio)

    return full


def _pace(run: RunEvidence) -> Series:
    """Drift over the root of the number of steps since the look before: as if chance had moved the images.

    Looks lie further apart in one run than in another.
    """
    series = run.series("drift")
    # Not at every examination are images looked at.
    looks = {*series.images.tolist(), *run.series("diversity").images.tolist()}
    steps = {e["images_seen"]: e.get("step", 0) for e in run.entries if e["images_seen"] in looks}
    at = sorted(steps.items())
    between = {images: step - before for (_, before), (images, step) in pairwise(at)}
    since = np.array([max(1, between.get(images, 1)) for images in series.images.tolist()])
    return Series(series.images, series.values / np.sqrt(since))


def _saturated_excess(run: RunEvidence) -> Series:
    """Share of output values that no gradient reaches, beyond that of real values as extreme; 0 or more."""
    images, (ours, theirs) = _together(run.series("saturated"), run.series("saturated_real"))
    return Series(images, np.maximum(0.0, ours - theirs))


def _decay(run: RunEvidence) -> Series:
    """How many times worse than its best until then a training is, at least: by the ends of the intervals.

    A multiple, since healthy runs go up and down by a share of what they are at, which is many standard
    errors. Below 1 where chance explains the difference. A best below what its error can tell from 0, as an
    unbiased estimate may be, counts as that error.
    """
    images, (distance, error) = _together(run.series("kernel_distance"), run.series("kernel_distance_error"))
    best = np.array([int(np.argmin(distance[: end + 1])) for end in range(len(distance))], dtype=int)
    error, best_error = _STANDARD_ERRORS * error, _STANDARD_ERRORS * error[best]
    most = np.maximum(distance[best] + best_error, best_error)
    there = most > 0
    times = np.maximum(0.0, (distance - error)[there]) / most[there]
    return Series(images[there], np.minimum(times, MOST_TIMES))


DERIVED: dict[str, Callable[[RunEvidence], Series]] = {
    "growth_generator": _growth("generator"),
    "growth_discriminator": _growth("discriminator"),
    "full_update_generator": _full_update("generator"),
    "full_update_discriminator": _full_update("discriminator"),
    "full_step_generator": _full_step("generator"),
    "pace": _pace,
    "saturated_excess": _saturated_excess,
    "decay": _decay,
}
"""By name, what makes the series of it."""
