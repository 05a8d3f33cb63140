"""The verdict does not depend on the order of the lines of a journal, and two histories are refused."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ganzfeld.errors import DamagedError
from ganzfeld.health import RunEvidence, diagnose
from ganzfeld.metrics.quality_scale import NAMES
from tests.health.cases import HEALTHY, case_of, turning


def with_stuck(values: list[float], quality: float = 0.6) -> RunEvidence:
    readings = {"stuck": values, "diversity": [HEALTHY] * len(values), "twins": [0.05] * len(values)}
    scores = {name: [quality] * len(values) for name in NAMES}
    return case_of(readings | scores, known=("stuck", "diversity"))


HEALED = with_stuck([0.9] * 10 + [HEALTHY] * 10)
SICK = with_stuck(turning(0.9))


@pytest.mark.parametrize("case", [HEALED, SICK, with_stuck([HEALTHY] * 20, quality=0.01)])
@pytest.mark.parametrize(
    "order",
    [
        lambda entries: entries[::-1],
        lambda entries: [*entries, *entries],
        lambda entries: [*entries[:12], *entries],
        lambda entries: [entry for entry in entries for _ in range(3)],
        lambda entries: [*entries[9:], *entries[:9]],
        lambda entries: [*entries, *entries[::-1]],
    ],
    ids=["reversed", "twice", "after a copy of its beginning", "lines thrice", "turned", "there and back"],
)
def test_the_order_of_the_lines_does_not_matter(case, order):
    assert diagnose(replace(case, entries=order(list(case.entries)))) == diagnose(case)


def test_repeated_lines_are_no_further_readings():
    """Three readings are needed for a finding; one reading thrice is one."""
    twice = with_stuck([HEALTHY] * 12 + [0.9, 0.9])
    assert diagnose(twice).verdict == "healthy"
    assert diagnose(replace(twice, entries=[*twice.entries, *twice.entries])).verdict == "healthy"
    thrice = [entry for entry in twice.entries for _ in range(3)]
    assert diagnose(replace(twice, entries=thrice)).verdict == "healthy"


@pytest.mark.parametrize("cases", [(SICK, HEALED), (HEALED, SICK)])
@pytest.mark.parametrize("back", [1, 8, 15])
def test_two_histories_in_one_journal_are_refused(cases, back):
    first, second = cases
    entries = [*first.entries, *second.entries[-back - 1 :]]
    with pytest.raises(DamagedError, match="two histories"):
        diagnose(replace(first, entries=entries))


@given(st.lists(st.integers(0, 19), min_size=1, max_size=40), st.booleans())
def test_no_order_makes_a_sick_run_healthy(order, whole):
    """Whichever entries a journal holds, and however often: the verdict is that of the sorted."""
    entries = [SICK.entries[index] for index in [*order, *(range(20) if whole else ())]]
    unique = [SICK.entries[index] for index in sorted({*order, *(range(20) if whole else ())})]
    try:
        verdict = diagnose(replace(SICK, entries=entries))
    except DamagedError:
        return
    assert verdict == diagnose(replace(SICK, entries=unique))
    assert not whole or verdict.verdict == "sick"
