"""Readings that are computed from others: they describe a course through the run, not one moment of it."""

import math
from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise

import numpy as np

from ganzfeld.health.evidence import RunEvidence, Series, health_of
from ganzfeld.value_kinds import is_number

MOST_TIMES = 1000.0
"""The largest value of ``decay``; anything worse is reported as this."""

PART_OF_QUALITY = "quality_"
"""How the names of the readings begin that are parts of the quality."""
PARTS = frozenset({"quality_pixels", "quality_spectrum", "quality_variety", "quality_coverage"})
"""The parts of the quality that are read at every look (``ganzfeld.metrics.quality_scale``)."""
BY_FEATURES = "quality_features"
"""The part that needs a feature network, and is read more rarely than the others."""

MOST_FEATURES = 3.0
"""How much the part by a feature network counts at most, as a multiple of the mean of the others. With it, no
quality of a healthy run is more than 0.05 below what it would be without."""

LEAST_QUALITY = 0.15
"""Below this quality, nothing has been learned that a person would see."""
LOOKS_OF_BEST = 3
"""Looks in a row that must reach a quality before it counts as the best one: a single one may be chance."""

_STANDARD_ERRORS = 1.96
"""Standard errors to either side that make a 95 % interval."""


def series_of(run: RunEvidence, name: str) -> Series:
    """Return the series of a reading, whether the journal holds it or it is derived from others."""
    return run.cached(name, lambda: DERIVED[name](run)) if name in DERIVED else run.series(name)


def _at_common_images(*all_series: Series) -> tuple[np.ndarray, list[np.ndarray]]:
    """Return the images seen at which all of the series have a value, and their values there."""
    images = all_series[0].images
    for series in all_series[1:]:
        images = np.intersect1d(images, series.images)
    # Where a series has several values at one number of images, the last one counts.
    by_images = [
        dict(zip(series.images.tolist(), series.values.tolist(), strict=True)) for series in all_series
    ]
    return images, [np.array([values[at] for at in images.tolist()]) for values in by_images]


def _growth(side: str) -> Callable[[RunEvidence], Series]:
    """Return a function that computes the norm of a network's weights over its norm at half as many images.

    The ratio compares a run of any length with itself. It starts once there
    is a value at half as many images.
    """

    def growth(run: RunEvidence) -> Series:
        series = run.series(f"weight_size_{side}")
        if not len(series):
            return series
        halfway = series.images / 2
        before = np.interp(halfway, series.images, series.values)
        known = (halfway >= series.images[0]) & (before > 0)
        return Series(series.images[known], series.values[known] / before[known])

    return growth


def _full_update(side: str) -> Callable[[RunEvidence], Series]:
    """Return a function that computes the relative update size at the full learning rate of the recipe.

    Adam's updates are proportional to the learning rate, which a schedule lowers on purpose, at steps that
    depend on the length of the run. Steps whose learning rate is 0 are left out.
    """

    def full(run: RunEvidence) -> Series:
        series = run.series(f"update_ratio_{side}")
        step_starts = np.maximum(0, series.images - run.recipe["batch"])
        rates = np.array([run.rate_at(images) for images in step_starts.tolist()])
        known = rates > 0
        return Series(series.images[known], series.values[known] / rates[known])

    return full


def _full_step(side: str) -> Callable[[RunEvidence], Series]:
    """Return a function that computes the same as ``_full_update``, relative to the first weight norm.

    Weights grow while they learn, so steps of the same size shrink relative to them. That alone does not mean
    that the network has stopped learning.
    """

    def full(run: RunEvidence) -> Series:
        images, (ratio, size) = _at_common_images(
            series_of(run, f"full_update_{side}"), run.series(f"weight_size_{side}")
        )
        return Series(images, ratio * size / size[0] if len(size) and size[0] > 0 else ratio)

    return full


def _pace(run: RunEvidence) -> Series:
    """Compute the drift over the square root of the steps since the previous one, as for a random walk.

    The root makes runs comparable whose drift is measured at different intervals.
    """
    series = run.series("drift")
    # Not every entry with readings has those that need images.
    with_images = {*series.images.tolist(), *run.series("diversity").images.tolist()}
    steps = {
        entry["images_seen"]: entry.get("step", 0)
        for entry in run.entries
        if entry["images_seen"] in with_images
    }
    in_order = sorted(steps.items())
    between = {images: step - before for (_, before), (images, step) in pairwise(in_order)}
    since = np.array([max(1, between.get(images, 1)) for images in series.images.tolist()])
    return Series(series.images, series.values / np.sqrt(since))


def _saturated_excess(run: RunEvidence) -> Series:
    """Compute the share of saturated output values beyond that of equally extreme real values; 0 or more."""
    images, (generated, real) = _at_common_images(run.series("saturated"), run.series("saturated_real"))
    return Series(images, np.maximum(0.0, generated - real))


def _decay(run: RunEvidence) -> Series:
    """Compute by what factor, at least, the kernel distance exceeds its best value so far.

    The factor compares the lower end of the interval now with the upper end of the interval at the best. It
    is a ratio because the distance of healthy runs varies in proportion to itself, by many standard errors.
    Below 1, chance explains the difference. The estimate is unbiased and may fall below 0; a best value that
    its error cannot tell from 0 counts as that error.
    """
    images, (distance, error) = _at_common_images(
        run.series("kernel_distance"), run.series("kernel_distance_error")
    )
    best = np.array([int(np.argmin(distance[: end + 1])) for end in range(len(distance))], dtype=int)
    error, best_error = _STANDARD_ERRORS * error, _STANDARD_ERRORS * error[best]
    most = np.maximum(distance[best] + best_error, best_error)
    known = most > 0
    times = np.maximum(0.0, (distance - error)[known]) / most[known]
    return Series(images[known], np.minimum(times, MOST_TIMES))


def _quality(run: RunEvidence) -> Series:
    """Compute the quality at every look from its parts; see ``combined_quality``."""
    values = {images: combined_quality(parts) for images, parts in looks_with_parts(run)}
    return Series(np.array([*values], dtype=np.int64), np.array([*values.values()], dtype=np.float64))


def _quality_kept(run: RunEvidence) -> Series:
    """Compute the quality at every look as a share of the best one so far, at most 1.

    The best one is the highest that ``LOOKS_OF_BEST`` looks in a row have reached; the series starts once it
    is at least ``LEAST_QUALITY``, since before that there is nothing to lose. Only the parts that are read at
    every look count: with the rare one, the quality of a healthy run may fall when it is first measured.
    """
    by_images = {
        images: combined_quality({name: parts[name] for name in parts if name in PARTS})
        for images, parts in looks_with_parts(run)
    }
    images, values = np.array([*by_images], dtype=np.int64), np.array([*by_images.values()], dtype=np.float64)
    reached = np.zeros(len(values))
    for end in range(LOOKS_OF_BEST, len(values) + 1):
        reached[end - 1] = values[end - LOOKS_OF_BEST : end].min()
    best = np.maximum.accumulate(reached)
    known = best >= LEAST_QUALITY
    return Series(images[known], np.minimum(1.0, values[known] / best[known]))


def combined_quality(parts: Mapping[str, float]) -> float:
    """Combine the parts of the quality, each 0 to 1, by name.

    Those that need no feature network by their geometric mean, so that none makes up for another: images of
    which none is like any real one may well have the variety of real ones. The part by a feature network
    counts as much as the others together, but at most as ``MOST_FEATURES`` times their arithmetic mean: where
    all of these are small, it makes up for none.
    """
    cheap = [min(1.0, max(0.0, value)) for name, value in parts.items() if name != BY_FEATURES]
    combined = math.prod(cheap) ** (1 / len(cheap))
    if BY_FEATURES not in parts:
        return combined
    most = min(1.0, MOST_FEATURES * sum(cheap) / len(cheap))
    return (combined + min(most, max(0.0, parts[BY_FEATURES]))) / 2


def parts_of_quality(run: RunEvidence) -> dict[str, float]:
    """Return the parts of the quality at the last look, from 0, untrained, to 1, like real images."""
    last: dict[str, float] = {}
    for _, parts in looks_with_parts(run):
        last = parts
    return {name.removeprefix(PART_OF_QUALITY): value for name, value in last.items()}


def looks_with_parts(run: RunEvidence) -> Iterator[tuple[int, dict[str, float]]]:
    """Yield the images seen and the parts of the quality at every look that has any.

    The part by a feature network, which is measured more rarely, is the latest one. Where the other parts
    have fallen since it was measured, it falls with them: a distance from before a collapse says nothing.
    """
    last: dict[str, float] = {}
    read_at, by_features, then = 0, math.nan, 0.0
    for entry in run.entries:
        parts = {
            name: float(value)
            for name, value in health_of(entry).items()
            if name in PARTS | {BY_FEATURES} and is_number(value) and math.isfinite(value)
        }
        measured, images = parts.pop(BY_FEATURES, None), entry["images_seen"]
        if parts:
            last, read_at = parts, images
        now = combined_quality(last) if last else 0.0
        if measured is not None:
            by_features, then = measured, now
        # A measurement on its own, as at the end of a run, belongs to the look after as many images.
        if parts or (last and measured is not None and read_at == images):
            kept = min(1.0, now / then) if then else 1.0
            yield images, last if math.isnan(by_features) else last | {BY_FEATURES: by_features * kept}


def _product(one: str, other: str) -> Callable[[RunEvidence], Series]:
    """Return a function that multiplies two readings."""

    def product(run: RunEvidence) -> Series:
        images, (first, second) = _at_common_images(run.series(one), run.series(other))
        return Series(images, first * second)

    return product


DERIVED: dict[str, Callable[[RunEvidence], Series]] = {
    "growth_generator": _growth("generator"),
    "growth_discriminator": _growth("discriminator"),
    "full_update_generator": _full_update("generator"),
    "full_update_discriminator": _full_update("discriminator"),
    "full_step_generator": _full_step("generator"),
    "pace": _pace,
    "saturated_excess": _saturated_excess,
    "decay": _decay,
    "quality": _quality,
    "quality_kept": _quality_kept,
    "same_push_on_fakes": _product("push_fake", "push_generator"),
    "same_push_on_both": _product("push_real", "push_fake"),
}
"""The function that computes each derived series, by its name."""
