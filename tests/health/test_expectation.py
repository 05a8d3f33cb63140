"""What to expect of a run that has learned little yet."""

import re
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ganzfeld.health import RunEvidence, diagnose
from ganzfeld.health.expectation import (
    Expectation,
    Forecast,
    expectations,
    expected_of,
    forecast,
    slowest_for,
)
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
        "That is usual for radford2015: half of its runs without varied images at this stage had them"
        " after 40,000, which takes 5 min 54 s more at this speed."
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
        "The run ends at 27,136 images. The recipe modern has varied images after about 3,000."
    )
    assert found.as_json()["recipe"] == "modern"
    assert foretold(early(planned=90_000)).sooner is None
    assert foretold(early("modern", planned=1_000)).sooner is None, "there is none"
    assert foretold(early(planned=3_000), KNOWN[:2]).sooner is None, "narrower networks are no other recipe"


def test_where_most_runs_never_came_so_far_that_is_said():
    found = foretold(early("seed", settings=NARROW), (*KNOWN, STUCK))
    assert found.sentences.startswith(
        "1 of 8 runs of seed had varied images, after 60,000 at the latest; the others had none in up to"
        " 64,000 images."
    )
    assert found.sooner is KNOWN[2] and found.seconds is None
    assert found.as_json()["images"] is None


def test_a_run_that_is_later_than_all_known_ones_is_said_to_be():
    found = foretold(early("modern", num=41), (*KNOWN, replace(KNOWN[0], width=32)))
    assert found.images is None and found.sooner is None, "no other recipe is faster than modern"
    assert found.sentences == (
        "All 3 runs of modern had varied images after 4,000 images at the latest: this run is later."
    )
    late = foretold(early(num=200, settings=NARROW, planned=64_000))
    assert late.sooner is KNOWN[2] and "All 4 runs of radford2015" in late.sentences


def test_what_few_runs_showed_is_not_usual():
    found = foretold(early(num=71, settings=NARROW))  # one of four runs was not varied by then
    assert found.sentences.startswith(
        "1 of 4 runs of radford2015 had no varied images at this stage either; this one had them after 8,000,"
    )
    assert foretold(early(num=45, settings=NARROW)).sentences.startswith("That is usual for radford2015")
    both = Expectation(CLASSICAL, 0, (1, 2, 3, 7_120, 9_000), 5, 64_000, 128)
    found = foretold(early(num=71, settings=NARROW), (both,))
    assert "2 of 5 runs" in found.sentences and "half of them had them after 7,200," in found.sentences


def test_a_larger_batch_needs_as_many_steps():
    found = foretold(early(settings=["batch=256"]))
    assert found.images == 80_000 and found.expectation.batch == 256
    assert found.expectation.until_varied[0] == 40_000 and found.expectation.longest == 260_000
    assert "after 80,000," in found.sentences
    assert found.sentences.endswith("These are the images of as many steps with batches of 256.")


def test_another_recipe_must_be_sooner_than_what_is_left():
    """Half of the runs had varied images after 5,000; a new run of modern would need 3,000."""
    found = foretold(early(num=10, planned=4_900, settings=NARROW))
    assert found.images == 5_000 and found.sooner is KNOWN[2]
    found = foretold(early(num=25, planned=4_900, settings=NARROW))
    assert found.images == 5_000 and found.sooner is None


PRESENT = st.builds(
    lambda recipe, settings, num, planned: early(recipe, num, planned, settings),
    st.sampled_from(["modern", "radford2015", "seed"]),
    st.sampled_from([(), ("batch=16",), ("batch=500",), *((f"generator.width={w}",) for w in (8, 15, 16))]),
    st.integers(1, 40) | st.integers(41, 400),
    st.none() | st.integers(1, 300_000),
)


@given(PRESENT, st.floats(0.001, 1000))
def test_what_is_said_agrees_with_the_known_runs(case, seconds):
    """Over budgets, images seen and speeds: with the expectations that ship."""
    entries = [{**entry, "seconds": entry["seconds"] * seconds} for entry in case.entries]
    found = forecast(replace(case, entries=entries))
    assert found is not None
    kind, seen, text = found.expectation, case.images_seen, found.sentences
    text = text.replace("radford2015", "radford")
    later = [images for images in kind.until_varied if images > seen]
    if found.images is None:
        assert 2 * len(later) < kind.not_varied(seen) or not kind.not_varied(seen)
        num = len(kind.until_varied)
        first = "All" if num == kind.num_runs else str(num) if num else "None"
        assert text.startswith(f"{first} ") and "usual" not in text
        assert ("none in up to" in text) == (0 < num < kind.num_runs)
        if num:
            (last,) = re.findall(r"after ([\d,]+\d)(?: images)? at the latest", text)
            assert kind.until_varied[-1] <= int(last.replace(",", "")) <= 1.1 * kind.until_varied[-1]
    else:
        assert found.images in later and found.images > seen
        had_none = kind.not_varied(seen)
        assert ("usual" in text) == (2 * had_none >= kind.num_runs)
        (after,) = re.findall(r"had them after ([\d,]+\d)", text)
        assert found.images <= int(after.replace(",", "")) <= 1.1 * found.images
        assert found.seconds is None or found.seconds > 0
    if found.sooner is not None:
        median, present = found.sooner.median(), kind.median()
        assert median is not None and found.sooner.name != kind.name
        assert present is None or median < present, "never slower than the present recipe"
        assert found.images is None or median < found.images - seen
        assert found.images is None or (case.planned_images or 0) < found.images


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


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        (["loss.name=hinge"], "runs of other recipes: of 4 runs of radford2015"),
        ([], "only 4 of 6 runs of radford2015 of this width had varied images in up to 130,000"),
    ],
)
def test_a_run_of_no_known_kind_is_compared_with_the_slowest(monkeypatch, settings, says):
    monkeypatch.setattr("ganzfeld.health.expectation.expectations", lambda: KNOWN)
    verdicts = [diagnose(early(num=num, settings=settings)) for num in (240, 241, 801)]
    assert [verdict.verdict for verdict in verdicts] == ["early", "watch", "sick"]
    (finding,) = verdicts[1].findings
    assert says in finding.evidence[0].text and "varied images after 8,000" in finding.evidence[0].text
    large = diagnose(early(num=241, settings=[*settings, "batch=256"]))
    assert large.verdict == "early", "twice the batch makes half the steps"


@pytest.mark.parametrize("watched", [True, False])
def test_with_what_ships_no_collapse_is_early_for_ever(watched):
    """As in a recipe of a name of its own, and in a loop that somebody else wrote."""
    run = early(num=10)
    last = {**run.entries[-1], "images_seen": 10**7}
    late = replace(run, entries=[*run.entries, last], recipe={**run.recipe, "name": "mine"}, watched=watched)
    fields = {"rates_known": False, "layers": []} if watched else {}
    verdict = diagnose(replace(late, recipe={**late.recipe, **fields}))
    assert verdict.verdict == "sick"
    assert "runs of other recipes" in verdict.findings[0].evidence[0].text


def test_the_slowest_has_shown_varied_images():
    assert slowest_for(early(), KNOWN) is KNOWN[0]
    assert slowest_for(early(), (KNOWN[1], STUCK)) is None, "fewer than nine in ten"
    quick, slow = replace(KNOWN[2], batch=8), replace(KNOWN[2], until_varied=(5_000, 6_000, 7_000))
    assert slowest_for(early(), (quick, slow)) is quick, "64,000 images of a batch of 128"
    assert slowest_for(early(settings=["batch=8"]), (quick, slow)) is slow


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


def test_nothing_is_usual_where_the_settings_are_far_from_all_that_is_known():
    run = early(num=45, settings=NARROW)
    sentences = foretold(replace(run, unusual=[("batch", "the batch is large")])).sentences
    assert sentences.startswith(
        "Half of the runs of radford2015 without varied images at this stage had them"
    )
    assert "The settings of this run are far from theirs." in sentences
    assert "far from theirs" not in foretold(run).sentences
