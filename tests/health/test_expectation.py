"""What to expect of a run that has learned little yet."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ganzfeld.health import RunEvidence, diagnose
from ganzfeld.health.expectation import Expectation, Forecast, expectations, expected_of, forecast
from ganzfeld.metrics.quality_scale import NAMES
from ganzfeld.recipes import recipes
from tests.health.cases import HEALTHY, case_of

CLASSICAL, MODERN = "radford2015 non-saturating", "modern relativistic-pairing"
KNOWN = (
    Expectation(CLASSICAL, 0, (4_000, 5_000, 6_000, 8_000), 4, 64_000, 128),
    Expectation(CLASSICAL, 16, (20_000, 22_000, 40_000, 70_000), 6, 130_000, 128),
    Expectation(MODERN, 0, (2_000, 3_000, 4_000), 3, 16_000, 128),
)
NARROW = ["generator.width=8"]
STUCK = Expectation("seed non-saturating", 0, (60_000,), 8, 64_000, 128)


def foretold(case: RunEvidence, known=KNOWN) -> Forecast:
    found = forecast(case, known)
    assert found is not None
    return found


def early(
    recipe: str = "radford2015", num: int = 10, planned: int | None = None, settings: Sequence[str] = ()
) -> RunEvidence:
    """Return a run of ``num`` hundred images, one second each, whose images are all alike."""
    readings = {"diversity": [HEALTHY] * num, "twins": [1.0] * num, **{name: [0.0] * num for name in NAMES}}
    case = case_of(readings, recipe=recipe, settings=settings, known=("diversity",))
    return replace(case, planned_images=planned)


def test_wide_networks_are_compared_with_wide_ones():
    assert foretold(early()).expectation is KNOWN[1]
    assert foretold(early(settings=NARROW)).expectation is KNOWN[0]


def test_a_recipe_of_no_known_kind_has_no_forecast():
    assert forecast(early(settings=["loss.name=hinge"]), KNOWN) is None
    assert forecast(early(), ()) is None


def test_the_time_is_that_at_the_speed_of_the_run():
    found = foretold(early(num=11))  # 1,100 images in 10 seconds
    assert found.images == 40_000 and found.seconds == pytest.approx((40_000 - 1_100) * 10 / 1_100)
    assert found.sentences == (
        "That is usual for radford2015: half of the runs that had come no further showed varied images after"
        " 40,000, which takes 5 min 54 s more at this speed."
    )
    assert found.as_json() == {"images": 40_000, "seconds": found.seconds, "recipe": None}


@pytest.mark.parametrize(
    ("seen", "median"), [(0, 5_000), (4_500, 6_000), (6_000, 8_000), (8_000, None), (10**6, None)]
)
def test_of_the_runs_that_came_no_further_half_needed_so_many(seen, median):
    assert KNOWN[0].median(seen) == median


def test_runs_that_never_came_so_far_count():
    assert KNOWN[1].median() == 40_000 and KNOWN[1].median(20_000) == 70_000
    assert KNOWN[1].median(22_000) == 70_000 and KNOWN[1].median(40_000) is None
    assert (KNOWN[0].high, KNOWN[1].high, STUCK.median()) == (8_000, None, None)


@given(st.lists(st.integers(1, 10**6), max_size=30), st.integers(0, 5), st.integers(0, 10**6))
def test_half_of_those_left_are_varied_by_then(needed, never, seen):
    if not needed and not never:
        return
    kind = Expectation(MODERN, 0, tuple(sorted(needed)), len(needed) + never, 10**6, 128)
    left, median = [images for images in needed if images > seen], kind.median(seen)
    if median is None:
        assert never > len(left) or not left
    else:
        assert median > seen and 2 * sum(images <= median for images in left) >= len(left) + never


def test_a_run_that_ends_before_is_told_of_the_recipe_that_gets_there_sooner():
    found = foretold(early(planned=27_136))
    assert found.sooner is KNOWN[2]
    assert found.sentences.endswith(
        "The run ends at 27,136 images. The recipe modern gets there after about 3,000."
    )
    assert found.as_json()["recipe"] == "modern"
    assert foretold(early(planned=90_000)).sooner is None
    assert foretold(early("modern", planned=1_000)).sooner is None, "there is none"
    assert foretold(early(planned=3_000), KNOWN[:2]).sooner is None, "narrower networks are no other recipe"


def test_where_most_runs_never_came_so_far_that_is_said():
    found = foretold(early("seed", settings=NARROW), (*KNOWN, STUCK))
    assert "showed no varied images in up to 64,000 images." in found.sentences
    assert found.sooner is KNOWN[2] and found.seconds is None
    assert found.as_json()["images"] is None


@pytest.mark.parametrize(
    ("num", "severity"), [(80, None), (240, None), (241, "watch"), (800, "watch"), (801, "sick")]
)
def test_a_run_that_is_far_too_late_has_learned_nothing(monkeypatch, num, severity):
    monkeypatch.setattr("ganzfeld.health.expectation.expectations", lambda: KNOWN)
    findings = diagnose(early(num=num, settings=NARROW)).findings
    found = [finding for finding in findings if finding.name == "nothing-learned"]
    assert [finding.severity for finding in found] == ([severity] if severity else [])
    for finding in found:
        assert finding.since_images == 24_000
        assert "nine in ten had varied images after 8,000" in finding.evidence[0].text


def test_a_large_batch_has_as_many_steps(monkeypatch):
    monkeypatch.setattr("ganzfeld.health.expectation.expectations", lambda: KNOWN)
    for batch, found in ((64, True), (128, True), (129, False), (1024, False)):
        names = {
            finding.name
            for finding in diagnose(early(num=241, settings=[*NARROW, f"batch={batch}"])).findings
        }
        assert ("nothing-learned" in names) == found


def test_a_run_without_quality_is_not_called_late(monkeypatch):
    monkeypatch.setattr("ganzfeld.health.expectation.expectations", lambda: KNOWN)
    case = case_of({"stuck": [HEALTHY] * 200}, recipe="radford2015", settings=["generator.width=8"])
    assert "nothing-learned" not in {each.name for each in diagnose(case).findings}


def test_only_a_run_that_has_learned_little_has_a_forecast():
    learned = {"diversity": [HEALTHY] * 10, "twins": [0.0] * 10, **{name: [0.9] * 10 for name in NAMES}}
    assert diagnose(case_of(learned)).forecast is None


def test_what_ships_is_sensible():
    assert expected_of(early("modern")) is not None
    for kind in expectations():
        assert len(kind.until_varied) <= kind.num_runs and kind.recipe.split()[0] in recipes.names()
        assert list(kind.until_varied) == sorted(kind.until_varied)
        assert all(0 < images <= kind.longest for images in kind.until_varied)
