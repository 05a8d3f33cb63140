"""Small charts of readings: a line, the range of healthy runs, and the part covered by a finding.

A chart consists of numbers for an inline SVG, so that the page's own colours apply.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ganzfeld.health import Finding, RunEvidence, Series
from ganzfeld.health.derived import DERIVED, series_of
from ganzfeld.health.symptoms import figure, steps_of

WIDTH, HEIGHT = 240, 64
"""The size of a chart, in SVG units."""

SHOWN = (1, 99)
"""The percentiles of the values at the ends of the axis. This cuts off single peaks, unless the last value is
one."""


@dataclass(frozen=True, slots=True)
class Chart:
    """A reading through time; ``low`` and ``high`` are the ends of its axis, ``last`` is its last value.

    ``line`` and ``bands`` are points of SVG polygons. ``wrong`` is the position at which the findings based
    on this reading begin, None if there are none.
    """

    name: str
    last: str
    low: str
    high: str
    line: str
    bands: tuple[str, ...]
    wrong: float | None
    findings: tuple[str, ...]


def charts_of(run: RunEvidence, findings: Sequence[Finding]) -> list[Chart]:
    """Return the charts of all readings with two values or more: of findings first, then quality."""
    names = sorted({name for entry in run.entries for name in entry.get("health") or {}} | set(DERIVED))
    charts = [chart for name in names if (chart := _chart(run, name, findings))]
    return sorted(charts, key=lambda chart: (not chart.findings, chart.name != "quality"))


def place(run: RunEvidence, images_seen: int) -> float:
    """Return the position of a number of images on the time axis, from 0 to ``WIDTH``."""
    return round(WIDTH * images_seen / max(1, run.images_seen), 1)


def _chart(run: RunEvidence, name: str, findings: Sequence[Finding]) -> Chart | None:
    series = series_of(run, name)
    if len(series) < 2:
        return None
    last = float(series.values[-1])
    low, high = (float(value) for value in np.percentile(series.values, SHOWN))
    low, high = min(low, last), max(high, last)
    margin = 0.08 * (high - low) or abs(high) or 1.0
    low, high = low - margin, high + margin

    def y_of(value: float) -> float:
        return round(float(HEIGHT * (1 - np.clip((value - low) / (high - low), 0, 1))), 1)

    xs = [place(run, images) for images in series.images.tolist()]
    line = " ".join(f"{x},{y_of(value)}" for x, value in zip(xs, series.values.tolist(), strict=True))
    relevant = [
        finding for finding in findings if any(name in evidence.figures for evidence in finding.evidence)
    ]
    begin = min((finding.since_images for finding in relevant), default=None)
    return Chart(
        name.replace("_", " "),
        figure(last),
        figure(low + margin),
        figure(high - margin),
        line,
        tuple(_bands(run, name, series, xs, y_of)),
        None if begin is None else place(run, begin),
        tuple(finding.name for finding in relevant),
    )


def _bands(
    run: RunEvidence, name: str, series: Series, xs: Sequence[float], y_of: Callable[[float], float]
) -> Iterator[str]:
    """Yield the healthy range as one polygon for each phase of training."""
    limits = [run.limit(name, step) for step in steps_of(run, series).tolist()]
    starts = [0, *(index for index in range(1, len(limits)) if limits[index] != limits[index - 1])]
    for start, end in zip(starts, [*starts[1:], len(limits) - 1], strict=True):
        limit = limits[start]
        if limit is not None:
            top, bottom, left, right = y_of(limit.high), y_of(limit.low), xs[start], xs[end]
            yield f"{left},{top} {right},{top} {right},{bottom} {left},{bottom}"
