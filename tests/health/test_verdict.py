"""The verdict: its name, the order of findings, and that no run without readings is called healthy."""

from dataclasses import replace

import pytest

from ganzfeld.health import RunEvidence, diagnose
from ganzfeld.health.derived import series_of
from ganzfeld.health.limits import Limit, limit_at
from ganzfeld.health.symptoms import persisted, why_not_known
from ganzfeld.metrics.quality_scale import NAMES
from ganzfeld.recipes import resolve
from tests.health.cases import HEALTHY, case_of, limits_of, turning


def test_healthy():
    verdict = diagnose(case_of({"diversity": [HEALTHY] * 10, "quality_pixels": [0.6] * 10}))
    sentence = "healthy: the images are two thirds of the way from untrained to real images"
    assert (verdict.verdict, verdict.sentence, verdict.images_seen) == ("healthy", sentence, 1000)
    assert (verdict.state, verdict.as_json()["quality"]) == ("healthy, quality 0.60", 0.6)
    assert "mode-collapse" not in {each.name for each in verdict.unjudged}
    assert {"name": "checkerboard", "why": "checkerboard has no readings"} in verdict.as_json()["unjudged"]


def test_why_nothing_can_be_said_is_known_without_reading_the_words():
    case = case_of(
        {"diversity": [HEALTHY] * 2, "a": [HEALTHY] * 10, "b": [HEALTHY] * 10}, known=("a", "diversity")
    )
    reasons = {name: why_not_known(case, name) for name in ("a", "b", "diversity", "overlap")}
    assert reasons["a"] is None
    assert {name: why.has_no_limit for name, why in reasons.items() if why} == {
        "b": True,
        "diversity": False,
        "overlap": False,
    }


def test_severe_findings_come_first():
    case = case_of({"rhythm": turning(0.9, 10), "diversity": turning(0.1), "stuck": turning(0.9, 11)})
    verdict = diagnose(case)
    assert verdict.verdict == "sick"
    assert [each.name for each in verdict.findings] == ["output-saturated", "mode-collapse", "oscillation"]
    assert verdict.sentence.startswith("output-saturated since 1,200 images, mode-collapse since 1,300")
    assert verdict.state == "output-saturated since 1,200 images and 2 more"
    mild = diagnose(case_of({"rhythm": turning(0.9)}, num_pictures=30))
    assert mild.verdict == "watch"
    assert mild.sentence == "too-few-pictures, oscillation since 1,300 images"


def test_who_has_not_looked_calls_nobody_healthy():
    before_there_were_readings = case_of({"loss": [1.0] * 10})
    too_early = case_of({"diversity": [HEALTHY] * 2})
    nothing_measured = case_of({"diversity": [HEALTHY] * 10}, known=())
    for case, why in (
        (before_there_were_readings, "diversity has no readings"),
        (too_early, "diversity has been read only 2 times so far"),
        (nothing_measured, "the healthy range of diversity at step 100 is not known"),
        (RunEvidence([], before_there_were_readings.recipe, 5000), "diversity has no readings"),
    ):
        verdict = diagnose(case)
        assert (verdict.verdict, verdict.sentence) == ("early", "too few readings for a verdict yet")
        assert why in {each.why for each in verdict.unjudged}


def test_remedies_that_contradict_each_other_are_named():
    changed = ["generator.optimizer.lr=0.001"]  # first, both advise to take that back
    slow = {
        "update_ratio_generator": turning(0.1),
        "weight_size_generator": [1.0] * 20,
        "checkerboard": turning(0.9),
    }
    verdict = diagnose(case_of(slow, known=("full_step_generator", "checkerboard")))
    assert [each.name for each in verdict.findings] == ["stalled", "checkerboard"]
    (pair,) = verdict.opposed
    case = replace(case_of(slow, known=("full_step_generator", "checkerboard")), undoing=changed)
    assert diagnose(case).opposed == (pair,)
    assert (pair.first, pair.second, pair.setting) == ("stalled", "checkerboard", "generator.optimizer.lr")
    assert "starting with stalled" in pair.sentence
    assert verdict.as_json()["opposed"] == [
        {"first": "stalled", "second": "checkerboard", "setting": "generator.optimizer.lr"}
    ]
    more = {**slow, "stuck": turning(0.9)}
    known = ("full_step_generator", "checkerboard", "stuck")
    assert len(diagnose(case_of(more, known=known)).opposed) == 1, "each setting is named once"
    alike = diagnose(case_of({"stuck": turning(0.9), "checkerboard": turning(0.9)}))
    assert len(alike.findings) == 2 and alike.opposed == (), "both want smaller steps"
    loss = {"lesson_generator": turning(0.1), "diversity": turning(0.1)}
    names = diagnose(case_of(loss, recipe="radford2015", settings=["loss.name=minimax"])).opposed
    assert [each.setting for each in names] == ["loss.name"]


def test_what_was_read_and_has_no_range_is_not_passed_over():
    readings = {"diversity": [HEALTHY] * 10, "class_diversity_worst": [0.0] * 10}
    verdict = diagnose(case_of(readings, known=("diversity",)))
    assert verdict.findings == ()
    why = "the healthy range of class_diversity_worst at step 100 is not known"
    assert {"name": "mode-collapse", "why": why} in verdict.as_json()["unjudged"]


def test_a_reason_that_many_findings_share_is_given_once():
    """As in a short run, where every reading was taken twice."""
    names = ("diversity", "stuck", "drift", "saturated", "dead_generator", "separation", "overlap")
    case = case_of({"diversity": [HEALTHY] * 10} | {name: [HEALTHY] * 2 for name in names[1:]})
    verdict = diagnose(case)
    assert len(verdict.unjudged) > 5
    assert len({entry.name for entry in verdict.unjudged}) == len(verdict.unjudged)
    assert all(verdict.not_checked.count(entry.name) == 1 for entry in verdict.unjudged)
    assert verdict.not_checked.count("so far") == 1


def test_other_kinds_of_data_are_not_compared_with_runs_on_images():
    wrong = {"diversity": turning(0.0), "quality_pixels": turning(0.1)}
    assert "mode-collapse" in {finding.name for finding in diagnose(case_of(wrong)).findings}
    verdict = diagnose(case_of(wrong, settings=["kind=map"], num_pictures=5))
    assert {finding.name for finding in verdict.findings} == {"too-few-pictures"}, "what needs no range"
    why = "the healthy range of diversity in runs on maps is not known"
    assert {"name": "mode-collapse", "why": why} in verdict.as_json()["unjudged"]
    long = {"quality_pixels": [0.01] * 3000}
    assert [finding.name for finding in diagnose(case_of(long)).findings] == ["nothing-learned"]
    assert diagnose(case_of(long, settings=["kind=map"])).findings == ()
    alone = diagnose(case_of(wrong, settings=["kind=map"]))
    assert alone.verdict == "early" and alone.sentence == alone.meaning
    assert alone.meaning == "which readings are healthy in runs on maps is not known"
    assert "mode-collapse, quality-lost (no known range in runs on maps)" in alone.not_checked
    assert alone.forecast is None and diagnose(case_of(wrong)).forecast is not None


def test_healthy_does_not_say_more_than_was_checked():
    readings = {"diversity": [HEALTHY] * 10, "twins": [0.05] * 10} | {name: [0.6] * 10 for name in NAMES}
    verdict = diagnose(case_of(readings, known=("diversity",)))
    assert verdict.verdict == "healthy" and verdict.unjudged
    assert verdict.meaning == "all readings that were checked are within the range of healthy runs"


def test_a_recipe_without_ranges_of_its_own_is_judged_only_beyond_those_of_all():
    own = Limit(0.25, 0.75, 1.0, 40, recipe="modern relativistic-pairing")
    known = {"diversity": (own, Limit(0.05, 0.95, 1.0, 80))}
    borrowed = {"verdict": "healthy", "unjudged": True, "findings": []}

    def seen(diversity, name):
        case = case_of({"diversity": [diversity] * 10, "quality_pixels": [0.6] * 10})
        verdict = diagnose(replace(case, limits=known, recipe={**case.recipe, "name": name}))
        unjudged = "mode-collapse" in {entry.name for entry in verdict.unjudged}
        assert unjudged == any(entry.is_borrowed for entry in verdict.unjudged)
        assert ("of other recipes only" in verdict.meaning) == (unjudged and verdict.verdict == "healthy")
        findings = [finding.name for finding in verdict.findings]
        return {"verdict": verdict.verdict, "unjudged": unjudged, "findings": findings}

    assert seen(HEALTHY, "modern") == seen(HEALTHY, "modern-large") == borrowed | {"unjudged": False}
    assert seen(HEALTHY, "mine") == borrowed
    assert seen(0.1, "modern")["findings"] == seen(0.01, "mine")["findings"] == ["mode-collapse"]
    assert seen(0.1, "mine") == borrowed | {"verdict": "early"}
    loop = replace(case_of({"diversity": [HEALTHY] * 10}), limits=known, watched=True)
    assert not any(entry.is_borrowed for entry in diagnose(loop).unjudged), "it has no recipe"


def test_with_a_changed_loss_the_size_of_steps_has_the_limits_of_the_recipe_before_there_are_others():
    """Learning rates decide most of it; what logits mean is decided by the loss."""
    own = Limit(0.25, 0.75, 1.0, 40, recipe="modern relativistic-pairing")
    of_all = Limit(0.05, 0.95, 1.0, 80, from_step=60)
    known = dict.fromkeys(("full_step_generator", "lesson_generator"), (own, of_all))

    def stalled(reading, value, loss, recipe="modern", num=5):
        taken = "update_ratio_generator" if reading == "full_step_generator" else reading
        readings = {taken: [value] * num, "weight_size_generator": [1.0] * num}
        case = case_of(readings, settings=[f"loss.name={loss}", "loss.smooth_sides=1", "schedule.decay=none"])
        case = replace(case, limits=known, recipe={**case.recipe, "name": recipe})
        return "stalled" in {finding.name for finding in diagnose(case).findings}

    for name in known:
        assert stalled(name, 0.1, "relativistic-pairing")
        assert not stalled(name, 0.01, "hinge", "mine"), "nothing is known of it in these steps"
        assert not stalled(name, 0.1, "hinge", num=10), "the range of all recipes is known by then"
        assert stalled(name, 0.01, "hinge", num=10)
    assert stalled("full_step_generator", 0.1, "hinge")
    assert not stalled("full_step_generator", 0.3, "hinge")
    assert not stalled("lesson_generator", 0.1, "hinge")


@pytest.mark.parametrize("recall_from", [0.0, 0.01])
def test_missing_kinds_cannot_be_told_where_healthy_runs_have_few_too(recall_from):
    readings = {name: [HEALTHY] * 10 for name in ("diversity", "recall", "coverage")}
    run = case_of(readings)
    limits = {
        **run.limits,
        "recall": (Limit(recall_from, 1.0, 1.0, 40),),
        "coverage": (Limit(0.0, 1.0, 1.0, 40),),
    }
    unjudged = diagnose(replace(run, limits=limits)).unjudged
    reasons = [entry.why.split(":")[0] for entry in unjudged if entry.name == "mode-collapse"]
    assert reasons == ["kinds of images may be missing"] * (not recall_from)


def test_facts_are_found_without_readings():
    verdict = diagnose(case_of({}, num_pictures=32))
    assert verdict.verdict == "watch"
    assert len(verdict.unjudged) > 10


def test_what_counts_is_the_mildest_of_the_latest_readings():
    case = case_of({"a": [1.0, 5.0, 3.0, 4.0, 2.0]})
    values, starts = persisted(case.series("a"), "high")
    assert values[2:].tolist() == [1.0, 3.0, 2.0]
    assert starts[2:].tolist() == [0, 1, 2]
    assert persisted(case.series("a"), "low")[0][2:].tolist() == [5.0, 5.0, 4.0]


def test_frequent_readings_wait_for_a_share_of_the_images():
    dense = case_of({"a": [1.0] * 80 + [9.0] * 4})
    values, starts = persisted(dense.series("a"), "high")
    assert values[-1] == 1.0, "four readings are less than a twentieth of 84"
    assert dense.series("a").images[starts[-1]] <= 0.95 * 8400
    longer = case_of({"a": [1.0] * 80 + [9.0] * 6})
    assert persisted(longer.series("a"), "high")[0][-1] == 9.0


def test_limits_are_those_of_the_phase():
    known = {"a": (Limit(0, 1, 1, 9, 10), Limit(0, 2, 1, 9, 100))}
    assert limit_at(known, "a", 5) is None
    found = [limit_at(known, "a", step) for step in (10, 99, 100, 10**9)]
    assert found == [known["a"][0]] * 2 + [known["a"][1]] * 2
    assert limit_at(known, "b", 5) is None
    by_width = {"a": (Limit(0, 1, 1, 9, 0), Limit(0, 2, 1, 9, 0, width=16), Limit(0, 3, 1, 9, 0, width=64))}
    widths = [limit_at(by_width, "a", 5, "one", width) for width in (8, 15, 16, 64, 999)]
    assert [limit and limit.high for limit in widths] == [1, 1, 2, 3, 3]
    classes = {"a": (Limit(0, 1, 1, 9), Limit(0, 2, 1, 9, by_class=True), Limit(0, 3, 1, 9, recipe="one"))}
    found = [limit_at(classes, "a", 5, kind, by_class=by) for kind in ("", "one") for by in (False, True)]
    assert [limit and limit.high for limit in found] == [1, 2, 3, 2]
    assert limit_at({"a": (Limit(0, 1, 1, 9),)}, "a", 5, by_class=True), "none by class has shown it"


def test_a_case_is_held_to_limits_of_its_width_and_classes():
    plain, wide, by_class = Limit(0, 1, 1, 9), Limit(0, 2, 1, 9, width=16), Limit(0, 3, 1, 9, by_class=True)
    case = replace(case_of({"diversity": [0.5] * 4}), limits={"diversity": (plain, wide, by_class)})

    def held_to(**changes) -> Limit | None:
        widths = {
            side: case.recipe[side] | {"width": changes.get(side, 8)}
            for side in ("generator", "discriminator")
        }
        recipe = {**case.recipe, **widths, "classes": changes.get("classes", "none")}
        return replace(case, recipe=recipe).limit("diversity", 5)

    assert held_to(generator=16) == wide and held_to(discriminator=16) == plain
    assert held_to(generator=8) == plain and held_to(classes="projection") == by_class


def test_a_recipe_has_limits_of_its_own_as_long_as_its_loss_is_the_same():
    own = replace(limits_of("a")["a"][1], low=0.0, high=0.6, recipe="modern relativistic-pairing")
    case = replace(case_of({"a": []}), limits={"a": (*limits_of("a")["a"], own)})
    assert case.limit("a", 100) == own
    assert case.limit("a", 5) is None, "those of all do not fill its gaps"
    other = resolve("modern", ["loss.name=hinge"]).model_dump(mode="json")
    assert replace(case, recipe=other).limit("a", 100) == limits_of("a")["a"][1]
    changed = resolve("modern", ["generator.width=48"]).model_dump(mode="json")
    assert replace(case, recipe=changed).limit("a", 100) == own


def test_what_was_changed_of_a_known_recipe_is_to_be_put_back():
    ill = {"separation": turning(0.9)}
    changed = replace(
        case_of(ill), undoing=["size=[64, 64]", "generator.optimizer.lr=0.001", "updates=alternating"]
    )
    (finding,) = diagnose(changed).findings
    assert finding.remedy.settings == ("generator.optimizer.lr=0.001", "updates=alternating")
    assert "the values of the recipe modern for generator.optimizer.lr, updates." in finding.remedy.text
    (usual,) = diagnose(case_of(ill)).findings
    assert usual.otherwise is None and finding.otherwise == usual.remedy
    assert finding.as_json()["otherwise"] == usual.as_json()["remedy"]
    only_size = replace(case_of(ill), undoing=["size=[64, 64]"])
    assert diagnose(only_size).findings == (usual,)
    mild = replace(case_of({"rhythm": turning(0.9)}), undoing=changed.undoing)
    assert diagnose(mild).findings[0].otherwise is None, "what is only to be watched is let alone"


def test_a_training_without_classes_does_not_hear_of_them():
    without = diagnose(case_of({"diversity": [HEALTHY] * 10}))
    assert "class-ignored" not in {each.name for each in without.unjudged}
    by_class = diagnose(case_of({"diversity": [HEALTHY] * 10}, settings=["classes=projection"]))
    assert "class-ignored" in {each.name for each in by_class.unjudged}


def test_figures_of_another_feature_space_are_not_compared():
    """Change the space within the journal, as in a run that was resumed with another one."""
    distance = [0.001] * 10 + [1.5] * 10
    case = case_of({"kernel_distance": distance, "kernel_distance_error": [0.0001] * 20})
    for number, entry in enumerate(case.entries):
        entry["health"]["features_sha256"] = "first" if number < 10 else "second"
    assert series_of(case, "decay").values.max() < 1.1
    assert len(case.series("kernel_distance")) == 10
    assert case.until(1000).series("kernel_distance").values.tolist() == [0.001] * 10


def test_of_two_figures_at_one_place_the_last_counts():
    """Accept two entries with readings at one number of images."""
    case = case_of({"kernel_distance": [2.0, 1.0, 1.0, 1.0], "kernel_distance_error": [0.1] * 4})
    twice = {**case.entries[-1], "health": {"kernel_distance": 3.0, "kernel_distance_error": 0.1}}
    found = series_of(replace(case, entries=[*case.entries, twice]), "decay")
    assert found.images.tolist() == [100, 200, 300, 400]
    assert len(found.values) == 4 and found.values[-1] > 2
