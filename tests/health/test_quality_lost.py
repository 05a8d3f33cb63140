"""Learning that was lost: the quality is compared with its own best."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from ganzfeld.health import RunEvidence, diagnose
from ganzfeld.health.derived import BY_FEATURES, series_of
from ganzfeld.health.limits import limits
from ganzfeld.metrics.quality_scale import NAMES
from tests.health.cases import HEALTHY, case_of

MANY = 100
"""Looks at 10 steps each, so that limits of later phases hold."""


def run_of(qualities: list[float], **others: Sequence[float | None]) -> RunEvidence:
    """Return a run with images that vary, all of whose parts of the quality have these values."""
    readings: dict[str, Sequence[float | None]] = {}
    readings |= {"diversity": [HEALTHY] * len(qualities), "twins": [0.05] * len(qualities)}
    readings |= dict.fromkeys(NAMES, qualities) | others
    shipped = {"quality_kept": limits()["quality_kept"]}
    case = case_of(readings, known=("diversity",))
    return replace(case, limits={**case.limits, **shipped})


@pytest.mark.parametrize(("left", "verdict"), [(0.05, "sick"), (0.16, "watch"), (0.35, "watch")])
@pytest.mark.parametrize("watched", [False, True])
def test_what_was_lost_is_a_finding(left, verdict, watched):
    run = run_of([0.8] * MANY + [left] * 10)
    fields = {"rates_known": False, "layers": []} if watched else {}
    found = diagnose(replace(run, watched=watched, recipe={**run.recipe, **fields}))
    assert found.verdict == verdict
    (finding,) = found.findings
    assert (finding.name, finding.since_images) == ("quality-lost", 100 * (MANY + 1))
    assert finding.evidence[0].figures["quality_kept"] == pytest.approx(left / 0.8)
    assert found.forecast is None, "it is no run at its beginning"
    assert ("model/best" in finding.remedy.text) != watched, "a loop has none"


@pytest.mark.parametrize(
    "qualities",
    [
        [0.8] * MANY + [0.6] * 10,
        [0.8] * MANY + [0.05] * 2,
        [0.8] * MANY + [0.05] * 10 + [0.7],
        [0.3] * MANY + [0.9] * 2 + [0.3] * 10,
        [0.14] * MANY + [0.0] * 10,
    ],
)
def test_ups_and_downs_are_none(qualities):
    """A milder fall, two bad looks, a fall that is over, a best of two looks only, and nothing to lose."""
    assert "quality-lost" not in {finding.name for finding in diagnose(run_of(qualities)).findings}


def test_the_rare_part_takes_nothing_away_when_it_is_first_measured():
    run = run_of([0.5] * (MANY + 10), **{BY_FEATURES: [None] * MANY + [0.0] * 10})
    assert series_of(run, "quality").values[-1] == 0.25
    assert set(series_of(run, "quality_kept").values) == {1.0}
    assert diagnose(run).verdict == "healthy"


def test_the_best_is_what_three_looks_in_a_row_have_reached():
    run = run_of([0.1, 0.4, 0.4, 0.4, 0.9, 0.2, 0.4])
    kept = series_of(run, "quality_kept")
    assert kept.images.tolist() == [400, 500, 600, 700]
    assert kept.values.tolist() == pytest.approx([1.0, 1.0, 0.5, 1.0])


def test_what_is_lost_is_not_called_never_learned():
    run = run_of([0.8] * MANY + [0.01] * 10)
    last = {**run.entries[-1], "images_seen": 10**7}
    names = {finding.name for finding in diagnose(replace(run, entries=[*run.entries, last])).findings}
    assert names == {"quality-lost"}
