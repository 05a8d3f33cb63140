"""What counts as found in the doctor's suite."""

import argparse

import pytest

from tests.health.journals import journal

OPTIONS = argparse.Namespace(faulty="0", healthy="50", limits="0-11", finished=True)


def result_of(
    tools, spans, fault="lr of G x50", shows: int | None = 10, name="diverging", verdicts=("healthy",) * 40
):
    """Return the result of a run with a finding at the checks of ``spans``, first and last."""
    there = {look for first, last in spans for look in range(first, last + 1)}
    named = tuple(frozenset({name} if look in there else set()) for look in range(1, 41))
    made = journal(tools, fault, [0.5] * 40, [0.1] * 40)
    return tools["suite"].Result(made, named, shows, verdicts)


@pytest.mark.parametrize(
    ("spans", "in_time"),
    [
        ([(3, 40)], True),
        ([(14, 40)], True),
        ([(15, 40)], False),
        ([(12, 12), (40, 40)], True),  # there at the end again
        ([(14, 18)], True),  # upheld for a tenth of the run
        ([(14, 17)], False),
        ([(3, 14)], True),  # until a tenth of the run after the fault shows
        ([(3, 13)], False),
        ([(3, 9), (20, 39)], False),  # withdrawn before the fault showed
        ([(38, 38)], False),
        ([], False),
    ],
)
def test_a_finding_counts_if_it_is_upheld(tools, spans, in_time):
    result = result_of(tools, spans)
    assert result.in_time == in_time
    assert result.found_at == (spans[0][0] if spans else None)
    assert not result_of(tools, spans, shows=None).in_time
    assert not result_of(tools, spans, name="checkerboard").in_time, "another finding than those expected"


def test_at_the_end_a_finding_needs_no_further_checks(tools):
    assert result_of(tools, [(39, 40)], shows=38).in_time
    assert not result_of(tools, [(38, 39)], shows=38).in_time


def test_what_is_known_before_training_is_counted_apart(tools):
    ladder = result_of(tools, [(1, 40)], "k3 s2", name="uneven-ladder")
    grid = result_of(tools, [(11, 40)], "k3 s2", name="checkerboard")
    few = result_of(tools, [(1, 40)], "32 images", name="too-few-pictures")
    late = result_of(tools, [(30, 40)], "k3 s2", name="checkerboard")
    assert [one.in_time for one in (ladder, grid, few, late)] == [True, True, True, False]
    assert [one.in_time_by_readings for one in (ladder, grid, few, late)] == [False, True, False, False]
    page = tools["suite"].report([ladder, grid, few, late], [], OPTIONS)
    assert "**3 of 4** faults that show" in page
    assert "1 by findings from readings, 2 only by what is known before training" in page
    (row,) = [line for line in page.splitlines() if line.startswith("| k3 s2: ")]
    assert row.split(" | ")[1:6] == ["3", "3", "2", "1", "3"]


def test_the_verdicts_at_the_end_are_counted(tools):
    ends = ("sick", "sick", "watch", "healthy")
    results = [result_of(tools, [], verdicts=("early",) * 39 + (end,)) for end in ends]
    page = tools["suite"].report(results, [], OPTIONS)
    (head,) = [line for line in page.splitlines() if line.startswith("| planted fault")]
    (row,) = [line for line in page.splitlines() if line.startswith("| lr of G x50: ")]
    assert head.endswith("| sick at end | watch at end | early at end | healthy at end |")
    assert [cell.strip() for cell in row.strip("|").split("|")][-4:] == ["2", "1", "", "1"]
