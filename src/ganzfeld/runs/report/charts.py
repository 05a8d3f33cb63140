"""Readings as small charts: a line, the range of healthy runs, and where a finding says something is wrong.

Drawn as numbers for an inline SVG, so that the page's own colours apply.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ganzfeld.health import Finding, RunEvidence, Series
from ganzfeld.health.derived import DERIVED, series_of
from ganzfeld.health.symptoms import figure, steps_of

WIDTH, HEIGHT = 240, 64
"""Of a chart, in units of its drawing."""

SHOWN = (1, 99)
"""Percentiles of the values that the axis reaches from and to; single peaks are cut off, unless the last
value is one."""


@dataclass(frozen=True, slots=True)
class Chart:
    """A reading through time; ``low`` and ``high`` are the ends of its axis, ``last`` is where it stands.

    ``line`` and ``bands`` are points of SVG polygons, ``wrong`` is where the findings that look at it begin,
    None if there are none.
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
    """All readings that were taken twice or more; those that findings look at come first."""
    names = sorted({name for entry in run.entries for name in entry.get("health") or {}} | set(DERIVED))
    charts = [chart for name in names if (chart := _chart(run, name, findings))]
    return sorted(charts, key=lambda chart: not chart.findings)


def place(run: RunEvidence, images_seen: int) -> float:
    """Where on the time axis a number of images lies, from 0 to ``WIDTH``."""
    return round(WIDTH * images_seen / max(1, run.images_seen), 1)


def _chart(run: RunEvidence, name: str, findings: Sequence[Finding]) -> Chart | None:
    series = series_of(run, name)
    if len(series) < 2:
        return None
    last = float(series.values[-1])
    low, high = (float(value) for value in np.percentile(series.values, SHOWN))
    low, high = min(low, last), max(high, last)
    room = 0.08 * (high - low) or abs(high) or 1.0
    low, high = low - room, high + room

    def up(value: float) -> float:
        return round(float(HEIGHT * (1 - np.clip((value - low) / (high - low), 0, 1))), 1)

    along = [place(run, images) for images in series.images.tolist()]
    line = " ".join(f"{x},{up(y)}" for x, y in zip(along, series.values.tolist(), strict=True))
    looking = [each for each in findings if any(name in evidence.figures for evidence in each.evidence)]
    begin = min((each.since_images for each in looking), default=None)
    return Chart(
        name.replace("_", " "),
        figure(last),
        figure(low + room),
        figure(high - room),
        line,
        tuple(_bands(run, name, series, along, up)),
        None if begin is None else place(run, begin),
        tuple(each.name for each in looking),
    )


def _bands(
    run: RunEvidence, name: str, series: Series, along: Sequence[float], up: Callable[[float], float]
) -> Iterator[str]:
    """What is healthy, as one polygon for each phase of training."""
    found = [run.limit(name, step) for step in steps_of(run, series).tolist()]
    starts = [0, *(at for at in range(1, len(found)) if found[at] != found[at - 1])]
    for start, end in zip(starts, [*starts[1:], len(found) - 1], strict=True):
        limit = found[start]
        if limit is not None:
            top, bottom, left, right = up(limit.high), up(limit.low), along[start], along[end]
            yield f"{left},{top} {right},{top} {right},{bottom} {left},{bottom}"
