"""The curves in a report: nothing that was measured is lost, and everything is on the chart."""

import itertools
import re
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ganzfeld.runs.report.curves import BOTTOM, LEFT, MOST_TICKS, RIGHT, TOP, curve_chart, ticks

LINES = {"generator": "g", "discriminator": "d"}
SVG = "{http://www.w3.org/2000/svg}"


def lines_of(chart: str) -> list[list[tuple[float, float]]]:
    """Return the points of each line."""
    lines = [line.attrib["points"].split() for line in ElementTree.fromstring(chart).iter(f"{SVG}polyline")]
    return [[(float(x), float(y)) for x, y in (point.split(",") for point in points)] for points in lines]


def texts_of(chart: str) -> list[str]:
    return [text.text or "" for text in ElementTree.fromstring(chart).iter(f"{SVG}text")]


def test_values_are_where_the_axes_say():
    journal = [{"images_seen": 100 * step, "g": step, "d": 2.0} for step in range(11)]
    chart = curve_chart(journal, LINES)
    rising, level = lines_of(chart)
    assert [x for x, _ in rising] == pytest.approx([LEFT + (RIGHT - LEFT) * step / 10 for step in range(11)])
    assert rising[2][1] == level[2][1] and len({y for _, y in level}) == 1
    steps = [one[1] - other[1] for one, other in itertools.pairwise(rising)]
    assert steps == pytest.approx([(BOTTOM - TOP) / 11] * 10, abs=0.11), "upwards, with a margin of a half"
    assert texts_of(chart) == [
        *("0", "200", "400", "600", "800", "1,000"),
        *("0", "2", "4", "6", "8", "10"),
        *("images seen", "generator", "discriminator"),
    ]
    heights = dict(re.findall(r'y="([\d.]+)" text-anchor="end">(\d+)<', chart))
    for height, label in heights.items():
        assert float(height) - 3.5 == pytest.approx(rising[int(label)][1], abs=0.11)


def test_of_a_long_run_the_extremes_stay():
    journal = [{"images_seen": step, "g": step % 7, "d": 0.0} for step in range(50_000)]
    journal[31_234]["g"] = 100
    (line, level), highest = lines_of(curve_chart(journal, LINES)), TOP + (BOTTOM - TOP) * 0.05 / 1.1
    assert min(y for _, y in line) == pytest.approx(highest, abs=0.06)
    assert len(line) <= 4 * (RIGHT - LEFT + 1) and len(level) <= 2 * (RIGHT - LEFT + 1)
    assert line == sorted(line, key=lambda point: point[0])


@given(
    st.lists(
        st.fixed_dictionaries(
            {"images_seen": st.integers(0, 10**30)},
            optional=dict.fromkeys("gd", st.none() | st.integers(-(10**30), 10**30) | st.floats(-1e30, 1e30)),
        )
    )
)
def test_whatever_the_journal_holds_is_on_the_chart(journal):
    for line, key in zip(lines_of(curve_chart(journal, LINES)), "gd", strict=True):
        assert all(LEFT <= x <= RIGHT and TOP <= y <= BOTTOM for x, y in line)
        assert bool(line) == any(entry.get(key) is not None for entry in journal)


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e9))
def test_ticks_are_few_round_and_on_the_axis(low, length):
    places = ticks(low, low + length)
    assert 2 <= len(places) <= MOST_TICKS + 1
    assert all(low - 1e-6 * length <= place <= low + length * (1 + 1e-6) for place in places)
    step = places[1] - places[0]
    assert float(f"{step:.0e}") == pytest.approx(step, rel=1e-3), "one digit"
