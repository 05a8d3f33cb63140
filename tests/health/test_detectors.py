"""Every detector: finds its fault from the right moment on, and says nothing without limits."""

import math
from dataclasses import replace

import pytest

from ganzfeld.health import RunEvidence, diagnose
from ganzfeld.health.derived import DERIVED
from ganzfeld.health.detectors import detectors
from ganzfeld.health.limits import Limit
from ganzfeld.printable import counted
from ganzfeld.recipes import resolve
from tests.health.cases import HEALTHY, case_of, limits_of, turning

HIGH, LOW, FIRST_WRONG = 0.9, 0.1, 1300

SIGNS = [
    ("discriminator-saturated", "lesson_discriminator", LOW, "sick"),
    ("discriminator-saturated", "separation", HIGH, "sick"),
    ("discriminator-saturated", "overlap", LOW, "sick"),
    ("generator-too-strong", "separation", LOW, "sick"),
    ("generator-too-strong", "overlap", HIGH, "sick"),
    ("mode-collapse", "diversity", LOW, "sick"),
    ("mode-collapse", "twins", HIGH, "sick"),
    ("mode-collapse", "recall", LOW, "watch"),
    ("mode-collapse", "coverage", LOW, "watch"),
    ("mode-collapse", "class_diversity_worst", LOW, "watch"),
    ("oscillation", "rhythm", HIGH, "watch"),
    ("checkerboard", "checkerboard", HIGH, "watch"),
    ("dead-units", "dead_generator", HIGH, "sick"),
    ("dead-units", "dead_discriminator", HIGH, "sick"),
    ("output-saturated", "stuck", HIGH, "sick"),
    ("batch-leak", "batch_leak", HIGH, "watch"),
    ("memorisation", "memorised", HIGH, "sick"),
    ("quality-lost", "quality_kept", LOW, "sick"),
    ("latent-ignored", "latent_share", LOW, "sick"),
    ("latent-ignored", "sensitivity", LOW, "sick"),
    ("class-ignored", "class_effect", LOW, "sick"),
    ("stalled", "lesson_generator", LOW, "sick"),
    ("stalled", "full_step_generator", LOW, "sick"),
    ("diverging", "logit_size", HIGH, "sick"),
    ("diverging", "full_update_generator", HIGH, "sick"),
    ("diverging", "full_update_discriminator", HIGH, "sick"),
]

ALL_READINGS = sorted({reading for name in detectors.names() for reading in detectors.load(name).READINGS})


READ = {
    "full_step_generator": "update_ratio_generator",
    **{f"full_update_{side}": f"update_ratio_{side}" for side in ("generator", "discriminator")},
}
"""What is read, where it is something else that the detector looks at."""


def found(name: str, case: RunEvidence):
    return detectors.load(name).find(case)


def signs(reading: str, values: list, known: bool = True) -> RunEvidence:
    read = {READ.get(reading, reading): values, "weight_size_generator": [2.0] * len(values)}
    case = case_of(read, known=(reading,) if known else ())
    if reading in DERIVED and reading not in READ:
        case.cached(reading, lambda: case.series(reading))  # in place of what would be derived
    return case


@pytest.mark.parametrize(("name", "reading", "value", "severity"), SIGNS)
class TestSigns:
    def test_is_found_since_it_began(self, name, reading, value, severity):
        finding = found(name, signs(reading, turning(value)))
        assert finding is not None
        assert (finding.name, finding.severity, finding.since_images) == (name, severity, FIRST_WRONG)
        evidence = finding.evidence[0]
        assert evidence.figures[reading] == value
        assert f"{value:.3g}" in evidence.text and "1,300 images" in evidence.text, "it can be checked"

    def test_is_not_found_in_health_or_on_the_other_side(self, name, reading, value, severity):
        assert found(name, signs(reading, [HEALTHY] * 20)) is None
        other = found(name, signs(reading, turning(1 - value)))
        assert other is None

    def test_passes(self, name, reading, value, severity):
        assert found(name, signs(reading, [*turning(value), HEALTHY])) is None

    def test_one_or_two_bad_readings_are_chance(self, name, reading, value, severity):
        for wrong in (1, 2):
            assert found(name, signs(reading, turning(value, wrong=wrong))) is None
        assert found(name, signs(reading, turning(value, wrong=3))) is not None

    def test_the_beginning_raises_no_alarm(self, name, reading, value, severity):
        """Accept anything from 0 to 1 in the first 20 steps, as real limits accept collapse at first."""
        assert found(name, signs(reading, [value])) is None
        assert found(name, signs(reading, [value, HEALTHY, HEALTHY])) is None

    def test_nothing_is_said_without_limit(self, name, reading, value, severity):
        assert found(name, signs(reading, turning(value), known=False)) is None

    def test_what_is_not_a_number_is_left_out(self, name, reading, value, severity):
        for nothing in (None, math.nan, math.inf, "0.3", True, []):
            values = [*turning(value), nothing]
            assert found(name, signs(reading, values)) is not None
            assert found(name, signs(reading, [nothing] * 20)) is None


@pytest.mark.parametrize("name", detectors.names())
class TestEveryDetector:
    def test_says_nothing_of_nothing(self, name):
        everything = limits_of(*ALL_READINGS)
        recipe = resolve().model_dump(mode="json")
        for entries in (
            [],
            [{"images_seen": 10}],
            [{"images_seen": 10, "step": 1, "health": None}, {"images_seen": 20, "step": 2}],
        ):
            assert found(name, RunEvidence(entries, recipe, 5000, limits=everything)) is None


class TestStaticFacts:
    @pytest.mark.parametrize(("number", "there"), [(1, True), (999, True), (1000, False), (0, False)])
    def test_too_few_images(self, number, there):
        case = case_of({"diversity": [HEALTHY] * 5}, num_pictures=number)
        finding = found("too-few-pictures", case)
        assert (finding is not None) == there
        if finding:
            assert finding.since_images == 0
            seen = counted(round(500 / number), "time")
            assert f"each has been seen {seen} so far" in finding.evidence[0].text

    @pytest.mark.parametrize(("number", "there"), [(0, False), (100, False), (101, True)])
    def test_duplicate_images(self, number, there):
        case = case_of({}, num_pictures=1000, num_duplicates=number)
        assert (found("duplicate-pictures", case) is not None) == there


class TestDerived:
    def test_saturation_that_the_data_has_too_is_none(self):
        values = turning(0.9)
        known = ("saturated_excess",)
        assert (
            found("output-saturated", case_of({"saturated": values, "saturated_real": values}, known=known))
            is None
        )
        alone = case_of({"saturated": values, "saturated_real": [0.0] * 20}, known=known)
        assert found("output-saturated", alone) is not None
        assert found("output-saturated", case_of({"saturated": values}, known=known)) is None

    def test_weights_are_measured_by_those_at_half_the_images(self):
        known = {"growth_generator": (Limit(0.5, 1.5, 1.0, 40),)}
        doubled = case_of({"weight_size_generator": [40.0] * 12 + [80.0] * 8})
        finding = found("diverging", replace(doubled, limits=known))
        assert finding is not None
        assert finding.since_images == FIRST_WRONG
        assert finding.evidence[0].figures["growth_generator"] == 2.0
        once = case_of({"weight_size_generator": [40.0] * 4 + [80.0] * 16})
        assert found("diverging", replace(once, limits=known)) is None, "it has stopped"

    def test_logits_have_a_usual_size_only_where_there_is_a_sigmoid(self):
        loud = {"logit_size": turning(HIGH)}
        assert found("diverging", case_of(loud)) is not None
        assert found("diverging", case_of(loud, settings=["loss.name=wasserstein"])) is None

    def test_a_rate_that_falls_as_planned_stalls_nothing(self):
        """Decay the rate as at the end of a short run, at steps where longer runs have not decayed."""
        falling = [HEALTHY] * 12 + [HEALTHY / 50] * 8
        case = signs("full_step_generator", falling)
        finding = found("stalled", case)
        assert finding is not None and finding.since_images == FIRST_WRONG
        assert finding.remedy.settings == ("generator.optimizer.lr=0.004",)
        batch = case.recipe["batch"]
        decayed = replace(case, rate_at=lambda images: 1.0 if images + batch < FIRST_WRONG else 0.02)
        assert found("stalled", decayed) is None
        grown = case_of({"update_ratio_generator": [HEALTHY] * 20}, known=("full_update_generator",))
        assert found("diverging", grown) is None
        assert found("diverging", replace(grown, rate_at=decayed.rate_at)) is not None
        assert found("diverging", replace(grown, rate_at=lambda images: 0.0)) is None

    def test_steps_beside_weights_that_grow_are_no_standstill(self):
        """Keep the steps the same while the weights grow to three times their size, as in long runs."""
        growing = {
            "update_ratio_generator": [HEALTHY] * 12 + [HEALTHY / 3] * 8,
            "weight_size_generator": [2.0] * 12 + [6.0] * 8,
        }
        assert found("stalled", case_of(growing, known=("full_step_generator",))) is None
        still = growing | {"weight_size_generator": [2.0] * 20}
        assert found("stalled", case_of(still, known=("full_step_generator",))) is not None

    def test_images_move_by_the_root_of_the_steps(self):
        """Check that a drift of 0.9 over 10 steps counts as 0.28 per root of a step."""
        known = {"pace": (Limit(0.0, 0.25, 1.0, 40),), "diversity": limits_of("a")["a"]}
        restless = {"drift": turning(0.9), "diversity": [HEALTHY] * 20, "latent_share": [HEALTHY] * 20}
        finding = found("mode-hopping", replace(case_of(restless), limits=known))
        assert finding is not None
        assert (finding.severity, finding.since_images) == ("watch", FIRST_WRONG)
        assert finding.evidence[0].figures["pace"] == pytest.approx(0.9 / 10**0.5)
        poor = found("mode-hopping", replace(case_of(restless | {"diversity": turning(LOW)}), limits=known))
        assert poor is not None and poor.severity == "sick"
        calm = {"drift": turning(0.7), "latent_share": [HEALTHY] * 20}
        assert found("mode-hopping", replace(case_of(calm), limits=known)) is None

    def test_late_decay_is_a_multiple_of_the_best(self):
        known = {"decay": (Limit(0.0, 1.6, 1.0, 8),)}
        distance = [3.0, 2.0, 1.0, 1.0] + [1.0] * 8 + [2.2] * 8
        readings = {"kernel_distance": distance, "kernel_distance_error": [0.1] * 20}
        finding = found("late-decay", replace(case_of(readings), limits=known))
        assert finding is not None
        assert finding.since_images == FIRST_WRONG
        assert finding.evidence[0].figures == {"best": 1.0, "now": 2.2, "best_at_images": 300}
        allowed = 1.96 * 0.1
        assert finding.evidence[1].figures["decay"] == pytest.approx((2.2 - allowed) / (1 + allowed))
        noisy = readings | {"kernel_distance_error": [0.4] * 20}
        assert found("late-decay", replace(case_of(noisy), limits=known)) is None
        assert found("late-decay", replace(case_of({"kernel_distance": distance}), limits=known)) is None

    def test_a_best_by_chance_below_nothing_is_no_decay(self):
        """Allow for an unbiased estimate: half of the figures of a perfect generator are below 0."""
        known = {"decay": (Limit(0.0, 1.6, 1.0, 8),)}
        readings = {"kernel_distance": [-0.01, 0.002] * 10, "kernel_distance_error": [0.01] * 20}
        assert found("late-decay", replace(case_of(readings), limits=known)) is None
        grown = readings | {"kernel_distance": [-0.01] * 10 + [0.2] * 10}
        assert found("late-decay", replace(case_of(grown), limits=known)) is not None
        huge = {"kernel_distance": [-3.0] * 10 + [4e300] * 10, "kernel_distance_error": [1e-6] * 20}
        finding = found("late-decay", replace(case_of(huge), limits=known))
        assert finding is not None and finding.evidence[1].figures["decay"] == 1000
        certain = {"kernel_distance": [-3.0] * 10 + [4.0] * 10, "kernel_distance_error": [0.0] * 20}
        assert found("late-decay", replace(case_of(certain), limits=known)) is None

    def test_a_remedy_changes_something(self):
        """Check that a remedy is never what the recipe already has."""
        known = {"decay": (Limit(0.0, 1.6, 1.0, 8),)}
        worse = {"kernel_distance": [1.0] * 10 + [3.0] * 10, "kernel_distance_error": [0.1] * 20}
        for settings in ([], ["ema=0.999"], ["schedule.decay=none"]):
            case = replace(case_of(worse, settings=settings), limits=known)
            finding = found("late-decay", case)
            assert finding is not None
            mended = resolve("modern", [*settings, *finding.remedy.settings])
            assert mended.model_dump(mode="json") != case.recipe
        few = found("too-few-pictures", case_of({}, num_pictures=40, settings=["crop=0.2"]))
        assert few is not None and not few.remedy.settings
        copying = case_of({"memorised": turning(HIGH)}, settings=["crop=0.125"])
        memorised = found("memorisation", copying)
        assert memorised is not None and not memorised.remedy.settings

    def test_a_loss_that_is_not_finite(self):
        case = case_of({"diversity": [HEALTHY] * 3})
        lost = {"images_seen": 400, "step": 40, "loss_generator": None, "loss_discriminator": 1.0}
        finding = found("diverging", RunEvidence([*case.entries, lost], case.recipe, 5000))
        assert finding is not None
        assert (finding.since_images, finding.severity) == (400, "sick")
        again = {**lost, "images_seen": 500, "loss_generator": 1.0}
        assert found("diverging", RunEvidence([*case.entries, lost, again], case.recipe, 5000)) is None


class TestRemediesKnowTheRecipe:
    def test_a_penalty_that_is_there_gets_stronger(self):
        finding = found("discriminator-saturated", case_of({"separation": turning(HIGH)}))
        recipe = resolve("modern", finding.remedy.settings)
        weights = {each["name"]: each["weight"] for each in recipe.stabilisers}
        assert weights == {"r1": 0.8, "r2": 0.2}
        assert recipe.discriminator.optimizer.lr == 0.0005

    def test_a_discriminator_that_is_far_too_fast_gets_the_generators_rate(self):
        fast = ["discriminator.optimizer.lr=0.05"]
        finding = found("discriminator-saturated", case_of({"separation": turning(HIGH)}, settings=fast))
        assert resolve("modern", finding.remedy.settings).discriminator.optimizer.lr == 0.001

    def test_an_uneven_ladder_is_named_and_replaced(self):
        uneven = ["size=33", "ladder=[33, 16, 8]"]
        finding = found("checkerboard", case_of({"checkerboard": turning(HIGH)}, settings=uneven))
        assert finding.severity == "sick" and "3x3 by 2x2" in finding.cause
        assert resolve("modern", [*uneven, *finding.remedy.settings]).ladder is None

    @pytest.mark.parametrize(
        ("recipe", "settings", "told"),
        [
            ("radford2015", ["loss.name=minimax"], "very low logits to all generated images"),
            ("radford2015", [], "high logits to generated images"),
            ("modern", [], "high logits to generated images"),
        ],
    )
    def test_a_generator_that_is_told_nothing_is_helped_by_its_loss(self, recipe, settings, told):
        """Minimax is flat where the discriminator wins, the others where it is fooled."""
        case = case_of({"lesson_generator": turning(LOW)}, recipe=recipe, settings=settings)
        finding = found("stalled", case)
        assert finding is not None and told in finding.cause
        before, after = resolve(recipe, settings), resolve(recipe, [*settings, *finding.remedy.settings])
        faster = after.discriminator.optimizer.lr / before.discriminator.optimizer.lr
        if settings:
            assert (after.loss.name, faster) == ("non-saturating", 0.5)
        else:
            assert (after.loss, faster) == (before.loss, 2.0)

    def test_soft_labels_on_both_sides_go_with_a_paired_loss(self):
        finding = found("mode-collapse", case_of({"diversity": turning(LOW)}, recipe="seed"))
        assert resolve("seed", finding.remedy.settings).loss.name == "relativistic-pairing"


def test_the_poorest_class_is_named():
    readings = {"class_diversity_worst": turning(0.1), "class_poorest": [2.0] * 20}
    case = case_of(readings, known=("class_diversity_worst",))
    for names, said in (
        (("bag", "boot", "coat"), "within the least varied class (coat), as"),
        ((), "least varied class, as"),
    ):
        (finding,) = diagnose(replace(case, class_names=names)).findings
        assert said in finding.evidence[0].text


def test_a_class_that_is_ignored_is_to_enter_the_other_way():
    for way, other in (("projection", "concatenation"), ("concatenation", "projection")):
        case = case_of({"class_effect": turning(0.1)}, settings=[f"classes={way}"])
        (finding,) = diagnose(case).findings
        assert finding.remedy.settings == (f"classes={other}",)
