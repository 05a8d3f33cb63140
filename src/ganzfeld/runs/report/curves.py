"""Curves of a journal over the images seen, as an SVG image with axes and a legend.

They are written here and not drawn by matplotlib: to import it and to draw two charts takes most of a second
at the end of every run, which is more than the rest of its report.
"""

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

WIDTH, HEIGHT = 504, 187
"""The size of a chart, in SVG units."""

LEFT, RIGHT, TOP, BOTTOM = 46, 496, 20, 154
"""The edges of the part in which the lines are, in SVG units."""

COLOURS = ("#1f77b4", "#ff7f0e")
"""One for each line."""

MOST_TICKS = 6
"""The most steps from one tick to the next on an axis, so that their labels have room."""

LEAST_MARGIN = 1e-99
"""Below it, an axis gets the length 2: its ticks are no longer apart as floating point numbers."""

Point = tuple[float, float]


def curve_chart(journal: Sequence[Mapping[str, Any]], lines: Mapping[str, str]) -> str:
    """Return an SVG image of at most two values of a journal; ``lines`` maps their labels to their keys.

    The x-axis is from 0 to the most images seen; the y-axis includes every value. Entries without a value
    are left out, and so are points that would lie on others (``_thinned``).
    """
    curves = {
        label: [(entry["images_seen"], entry[key]) for entry in journal if entry.get(key) is not None]
        for label, key in lines.items()
    }
    last = max((entry["images_seen"] for entry in journal), default=0) or 1
    values = [value for curve in curves.values() for _, value in curve] or [0.0]
    low, high = _widened(float(min(values)), float(max(values)))

    def x_of(images: float) -> float:
        return LEFT + (RIGHT - LEFT) * images / last

    def y_of(value: float) -> float:
        return BOTTOM - (BOTTOM - TOP) * (value - low) / (high - low)

    drawn = [[(x_of(images), y_of(value)) for images, value in curve] for curve in curves.values()]
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" '
        f'height="{HEIGHT}" font-family="sans-serif" font-size="10">',
        *_axes({x_of(at): f"{at:,.0f}" for at in ticks(0.0, float(last), least=1.0)}, "M{0} {2}V{3}", "x"),
        *_axes({y_of(at): f"{at:.6g}" for at in ticks(low, high)}, "M{1} {0}H{4}", "y"),
        f'<path d="M{LEFT} {TOP}V{BOTTOM}H{RIGHT}" fill="none" stroke="#000" stroke-width=".8"/>',
        _text((LEFT + RIGHT) / 2, HEIGHT - 6, "middle", "images seen"),
    ]
    for number, (label, points) in enumerate(zip(curves, drawn, strict=True)):
        begin = RIGHT - 240 + 120 * number
        parts += [
            f'<g stroke="{COLOURS[number]}" fill="none"><path d="M{begin} 10h18"/>'
            f'<polyline points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in _thinned(points))}"/></g>',
            _text(begin + 24, 13.5, "start", label),
        ]
    return "".join([*parts, "</svg>"])


def ticks(low: float, high: float, least: float = 0.0) -> list[float]:
    """Return the multiples from ``low`` to ``high`` of a round number, 1, 2 or 5 times a power of ten.

    It is the smallest one, not below ``least``, that makes no more than ``MOST_TICKS`` steps.
    """
    smallest = max((high - low) / MOST_TICKS, least)
    power = 10.0 ** math.floor(math.log10(smallest))
    step = next((power * nice for nice in (1, 2, 5) if power * nice >= smallest), power * 10)
    return [index * step for index in range(math.ceil(low / step), math.floor(high / step) + 1)]


def _widened(low: float, high: float) -> tuple[float, float]:
    """Return the ends of an axis for values from ``low`` to ``high``, which may be equal."""
    margin = max(0.05 * (high - low), 1e-4 * max(abs(low), abs(high)))
    margin = margin if margin > LEAST_MARGIN else 1.0
    return low - margin, high + margin


def _axes(labels: Mapping[float, str], line: str, axis: str) -> Iterator[str]:
    """Yield the lines of the grid and the labels at these places; ``line`` is the path of one of them."""
    for place, label in labels.items():
        path = line.format(f"{place:.1f}", LEFT, TOP, BOTTOM, RIGHT)
        yield f'<path d="{path}" stroke="#b0b0b0" stroke-opacity=".4" stroke-width=".8"/>'
        where = (place, BOTTOM + 13, "middle") if axis == "x" else (LEFT - 5, place + 3.5, "end")
        yield _text(*where, label)


def _text(x: float, y: float, anchor: str, text: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{text}</text>'


def _thinned(points: Sequence[Point]) -> Iterator[Point]:
    """Yield the first, the lowest, the highest and the last point of every unit of x, in their order."""
    for _, group in itertools.groupby(points, lambda point: math.floor(point[0])):
        column = list(group)
        heights = [y for _, y in column]
        kept = {0, heights.index(min(heights)), heights.index(max(heights)), len(column) - 1}
        yield from (column[index] for index in sorted(kept))
