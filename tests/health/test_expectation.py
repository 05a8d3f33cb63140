"""What to expect of a run that has learned little yet."""

from dataclasses import replace

import pytest

from ganzfeld.health import diagnose
from ganzfeld.health.expectation import Expectation, expectations, forecast
from ganzfeld.metrics.quality_scale import NAMES
from tests.health.cases import HEALTHY, case_of

CLASSICAL, MODERN = "radford2015 non-saturating", "modern relativistic-pairing"
KNOWN = (
    Expectation(CLASSICAL, 0, 5_000, 4_000, 8_000, 16, 16),
    Expectation(CLASSICAL, 16, 40_000, 20_000, 70_000, 8, 8),
    Expectation(MODERN, 0, 3_000, 2_000, 4_000, 24, 24),
)
STUCK = Expectation("seed non-saturating", 0, 64_000, 0, 0, 16, 2)


def early(recipe="radford2015", num=10, planned=None, **settings):
    """Return a run of ``num`` hundred images, one second each, whose images are all alike."""
    readings = {"diversity": [HEALTHY] * num, "twins": [1.0] * num, **{name: [0.0] * num for name in NAMES}}
    set_to = [f"{path}={value}" for path, value in settings.items()]
    case = case_of(readings, recipe=recipe, settings=set_to, known=("diversity",))
    return replace(case, planned_images=planned)


def test_wide_networks_are_compared_with_wide_ones():
    assert forecast(early(), KNOWN).expectation is KNOWN[1]
    assert forecast(early(**{"generator.width": 8}), KNOWN).expectation is KNOWN[0]


def test_a_recipe_of_no_known_kind_has_no_forecast():
    assert forecast(early(**{"loss.name": "hinge"}), KNOWN) is None
    assert forecast(early(), ()) is None


def test_the_time_is_that_at_the_speed_of_the_run():
    found = forecast(early(num=11), KNOWN)  # 1,100 images in 10 seconds
    assert found.seconds == pytest.approx((40_000 - 1_100) * 10 / 1_100)
    assert "until about 40,000 images (20,000 to 70,000 in most runs), in 5 min 54 s at this speed" in (
        found.sentences
    )
    assert found.sooner is None


def test_a_run_that_ends_before_is_told_of_the_recipe_that_gets_there_sooner():
    found = forecast(early(planned=27_136), KNOWN)
    assert found.sooner is KNOWN[2]
    assert found.sentences.endswith(
        "The run ends at 27,136 images. The recipe modern gets there after about 3,000."
    )
    assert found.as_json()["recipe"] == "modern"
    assert forecast(early(planned=90_000), KNOWN).sooner is None


def test_a_run_that_is_late_is_told_so():
    found = forecast(early(num=90, **{"generator.width": 8}), KNOWN)
    assert found.sentences == "Most runs of radford2015 had varied images after 8,000 images."


def test_where_most_runs_never_came_so_far_that_is_said():
    found = forecast(early("seed", **{"generator.width": 8}), (*KNOWN, STUCK))
    assert "Most runs of seed showed no varied images within 64,000 images." in found.sentences
    assert found.sooner is KNOWN[2] and found.seconds is None
    assert found.as_json()["images"] is None


@pytest.mark.parametrize(
    ("num", "severity"), [(70, None), (80, None), (81, "watch"), (160, "watch"), (161, "sick")]
)
def test_a_run_that_is_far_too_late_has_learned_nothing(monkeypatch, num, severity):
    monkeypatch.setattr("ganzfeld.health.expectation.expectations", lambda: KNOWN)
    found = diagnose(early(num=num, **{"generator.width": 8})).findings
    assert [(each.name, each.severity) for each in found if each.name == "nothing-learned"] == (
        [("nothing-learned", severity)] if severity else []
    )
    for each in found:
        assert (
            each.since_images == 8_000
            and "nine in ten had varied images after 8,000" in each.evidence[0].text
        )


def test_a_run_without_quality_is_not_called_late(monkeypatch):
    monkeypatch.setattr("ganzfeld.health.expectation.expectations", lambda: KNOWN)
    case = case_of({"stuck": [HEALTHY] * 200}, recipe="radford2015", settings=["generator.width=8"])
    assert "nothing-learned" not in {each.name for each in diagnose(case).findings}


def test_only_a_run_that_has_learned_little_has_a_forecast():
    learned = {"diversity": [HEALTHY] * 10, "twins": [0.0] * 10, **{name: [0.9] * 10 for name in NAMES}}
    assert diagnose(case_of(learned)).forecast is None


def test_what_ships_is_sensible():
    for kind in expectations():
        assert kind.num_varied <= kind.num_runs and kind.low <= kind.high
        assert not kind.is_known or kind.low <= kind.images <= kind.high
