"""Readings that follow from others: what only the whole of a run can show, not one look at it."""

from collections.abc import Callable

import numpy as np

from ganzfeld.health.case import Case, Series


def series_of(case: Case, name: str) -> Series:
    """A reading of the journal, or one that follows from them, through time."""
    return DERIVED[name](case) if name in DERIVED else case.series(name)


def _together(case: Case, *names: str) -> tuple[np.ndarray, list[np.ndarray]]:
    """The pictures seen and the values of several readings where all of them were read."""
    all_series = [case.series(name) for name in names]
    images = all_series[0].images
    for series in all_series[1:]:
        images = np.intersect1d(images, series.images)
    return images, [series.values[np.isin(series.images, images)] for series in all_series]


def _growth(side: str) -> Callable[[Case], Series]:
    """Size of the weights as a multiple of what it was when first read."""

    def growth(case: Case) -> Series:
        series = case.series(f"weight_size_{side}")
        first = series.values[0] if len(series) and series.values[0] > 0 else 1.0
        return Series(series.images, series.values / first)

    return growth


def _saturated_excess(case: Case) -> Series:
    """Share of output values that no gradient reaches, beyond the share of real values as extreme."""
    images, (ours, theirs) = _together(case, "saturated", "saturated_real")
    return Series(images, ours - theirs)


def _decay(case: Case) -> Series:
    """Kernel distance beyond the best one before, in standard errors of the difference of the two."""
    images, (distance, error) = _together(case, "kernel_distance", "kernel_distance_error")
    best = np.array([int(np.argmin(distance[: end + 1])) for end in range(len(distance))], dtype=int)
    noise = np.sqrt(error**2 + error[best] ** 2)
    return Series(images, (distance - distance[best]) / np.maximum(noise, np.finfo(float).tiny))


DERIVED: dict[str, Callable[[Case], Series]] = {
    "growth_generator": _growth("generator"),
    "growth_discriminator": _growth("discriminator"),
    "saturated_excess": _saturated_excess,
    "decay": _decay,
}
"""By name, what makes the series of it."""
