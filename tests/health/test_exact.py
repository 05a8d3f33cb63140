"""Findings that only a loop of somebody else can have, and remedies as lines of code."""

from dataclasses import replace

import pytest

from ganzfeld.health import RunEvidence, diagnose
from ganzfeld.health.detectors import detectors
from ganzfeld.health.detectors.range_mismatch import scaling
from ganzfeld.health.exact import EXACT
from ganzfeld.health.limits import limits
from ganzfeld.recipes import resolve
from tests.health.cases import HEALTHY, case_of, turning

GOOD = {
    "push_real": 1.0,
    "push_fake": -1.0,
    "push_generator": 1.0,
    "range_gap": 0.02,
    "normalised_twice": 0.0,
    "channel_order": 0.3,
    "wrong_labels": 0.01,
    **{f"eval_mode_{side}": 0.0 for side in ("generator", "discriminator")},
    **{f"moved_{side}": 1.0 for side in ("generator", "discriminator")},
    **{f"others_weights_{side}": 0.0 for side in ("generator", "discriminator")},
    **{f"cleared_{side}": 1.0 for side in ("generator", "discriminator")},
    "leaked_gradients": 0.0,
}
BAD = [
    ("labels-swapped", {"push_real": -1.0, "push_fake": 1.0}, "real images have the label of generated ones"),
    ("labels-swapped", {"push_generator": -1.0}, "generator's update"),
    ("labels-swapped", {"push_fake": 1.0, "push_generator": -1.0}, "have the same label"),
    ("range-mismatch", {"range_gap": 0.5}, "not scaled to the range"),
    ("normalised-twice", {"normalised_twice": 1.0}, "Two parts of the loop"),
    ("channels-swapped", {"channel_order": 9.0}, "blue, green, red"),
    ("trained-in-eval-mode", {"eval_mode_generator": 1.0}, "eval mode"),
    ("optimizer-mismatch", {"moved_discriminator": 0.0}, "weights of the other"),
    ("optimizer-mismatch", {"others_weights_discriminator": 1.0}, "weights of the other"),
    ("gradients-not-cleared", {"cleared_generator": 0.0}, "adds every gradient"),
    ("detach-forgotten", {"leaked_gradients": 1.0}, "not detached"),
    ("wrong-class-labels", {"wrong_labels": 0.3}, "different orders"),
]


def watched(readings: dict[str, list[float]], **recipe) -> RunEvidence:
    """Return the evidence of a loop by class with these readings."""
    known = {"layers": [], "rates_known": True, "classes": "concatenation"}
    run = case_of(readings)
    return replace(run, recipe={**run.recipe, **known, **recipe}, limits={**limits(), **EXACT}, watched=True)


def exact_of(run: RunEvidence) -> set[str]:
    names = {name for name in detectors.names() if set(detectors.load(name).READINGS) & set(EXACT)}
    return names & {finding.name for finding in diagnose(run).findings}


def test_a_good_loop_has_none():
    assert exact_of(watched({name: [value] * 20 for name, value in GOOD.items()})) == set()


@pytest.mark.parametrize(("name", "wrong", "cause"), BAD)
def test_each_is_found_when_it_begins(name: str, wrong: dict[str, float], cause: str):
    readings = {reading: [value] * 12 + [wrong.get(reading, value)] * 8 for reading, value in GOOD.items()}
    run = watched(readings)
    assert exact_of(run) == {name}
    (finding,) = (finding for finding in diagnose(run).findings if finding.name == name)
    assert finding.since_images == 1300
    assert cause in finding.cause
    assert finding.remedy.code and not finding.remedy.settings
    assert all("1,300 images" in evidence.text and evidence.figures for evidence in finding.evidence)


@pytest.mark.parametrize(("num_optimizers", "is_mistake"), [(1.0, False), (2.0, True)])
def test_one_optimizer_may_hold_both_networks_and_two_may_not(num_optimizers, is_mistake):
    sides = ("generator", "discriminator")
    foreign = {f"others_weights_{side}": share for side, share in zip(sides, (0.4, 0.6), strict=True)}
    counts = {f"optimizers_{side}": num_optimizers for side in sides}
    run = watched({name: [value] * 20 for name, value in (GOOD | foreign | counts).items()})
    assert exact_of(run) == ({"optimizer-mismatch"} if is_mistake else set())


def test_a_run_of_ganzfeld_has_none_of_them():
    readings = {name: [value] * 20 for _, wrong, _ in BAD for name, value in wrong.items()}
    run = replace(case_of(readings), limits={**limits(), **EXACT})
    assert exact_of(run) == set()
    unjudged = {entry.name for entry in diagnose(run).unjudged}
    assert not unjudged & {name for name, _, _ in BAD}


def test_both_networks_at_rest_are_no_mistake():
    """A schedule may end at 0."""
    still = GOOD | {"moved_generator": 0.0, "moved_discriminator": 0.0}
    assert exact_of(watched({name: [value] * 20 for name, value in still.items()})) == set()


def test_remedies_are_lines_of_code():
    sick = {"logit_size": turning(1e6), "rhythm": turning(1e6), "dead_generator": turning(1.0)}
    findings = {finding.name: finding for finding in diagnose(watched(sick)).findings}
    assert not any(remedy.settings for finding in findings.values() for remedy in finding.remedies)
    code = findings["oscillation"].remedy.code
    assert "for group in optimizer_generator.param_groups: group['lr'] = 0.0005" in code
    assert any("create_graph=True" in line for line in code)
    assert any("AveragedModel" in line for line in code)
    assert any("nn.LeakyReLU(0.2)" in line for line in findings["dead-units"].remedy.code)
    unknown = {finding.name: finding for finding in diagnose(watched(sick, rates_known=False)).findings}
    assert not any("lr" in line for line in unknown["oscillation"].remedy.code)
    assert "code" in findings["oscillation"].as_json()["remedy"]


def test_a_checkerboard_is_explained_by_the_layers_of_the_loop():
    printed = {"checkerboard": turning(100.0)}
    uneven = watched(printed, layers=[{"kernel": [3, 3], "stride": [2, 2]}])
    even = watched(printed, layers=[{"kernel": [4, 4], "stride": [2, 2]}, {"kernel": None, "stride": [2, 2]}])
    causes = [
        next(finding for finding in diagnose(run).findings if finding.name == "checkerboard").cause
        for run in (uneven, even)
    ]
    assert "3x3 by 2x2" in causes[0] and "The generator has kernels" in causes[0]
    assert "evenly" in causes[1]


def test_limits_of_a_loop_are_those_of_all_recipes():
    run = watched({"diversity": [HEALTHY] * 5})
    recipe = resolve("radford2015").model_dump(mode="json")
    limit = replace(run, recipe={**run.recipe, **recipe}).limit("diversity", 100)
    assert limit is not None and limit.recipe == ""


@pytest.mark.parametrize(
    ("black", "white", "low", "top", "line"),
    [
        (0.0, 0.996, -1.0, 1.0, "real = real * 2 - 1"),
        (0.0, 255.0, -1.0, 1.0, "real = real / 255 * 2 - 1"),
        (-1.0, 1.0, 0.0, 1.0, "real = (real + 1) / 2"),
        (0.0, 255.0, 0.0, 1.0, "real = real / 255"),
        (-1.0, 1.01, -0.5, 0.5, "real = (real + 1) / 2 - 0.5"),
        (-2.118, 2.249, -1.0, 1.0, "real = (real + 2.12) / 4.37 * 2 - 1"),
    ],
)
def test_the_line_that_scales_images_takes_black_and_white_to_the_ends(black, white, low, top, line: str):
    assert scaling(black, white, low, top) == line
    for level, end in ((black, low), (white, top)):
        names = {"real": level}
        exec(line, names)
        assert names["real"] == pytest.approx(end, abs=0.02)
