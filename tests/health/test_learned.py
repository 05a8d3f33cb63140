"""What a run has learned, and that nobody is called healthy who has learned nothing."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ganzfeld.health import diagnose, parts_of_quality
from ganzfeld.health.derived import BY_FEATURES, MOST_FEATURES, PARTS, combined_quality, series_of
from ganzfeld.health.detectors import detectors
from ganzfeld.health.learned import LEAST_QUALITY, MOST_TWINS, in_words, learned
from ganzfeld.metrics.quality_scale import NAMES
from ganzfeld.recipes import recipes, resolve
from ganzfeld.recipes.scaling import fitted_settings
from ganzfeld.recipes.unusual import FAR, unusual_settings
from tests.health.cases import HEALTHY, case_of, turning

READ = sorted({each for name in detectors.names() for each in detectors.load(name).READINGS})
UNTRAINED = {**dict.fromkeys(NAMES, 0.0), "twins": 1.0, "diversity": 0.1}
"""Readings of a generator that has learned nothing."""


def run_with(**values: float):
    """Return a run that has had the same healthy readings all the time, except for some."""
    readings = {"diversity": HEALTHY, "twins": 0.05, **dict.fromkeys(NAMES, 0.6)} | values
    return case_of({name: [value] * 10 for name, value in readings.items()}, known=("diversity",))


def test_the_quality_is_the_geometric_mean_of_its_parts():
    case = run_with(quality_pixels=0.2, quality_spectrum=0.4, quality_variety=0.6, quality_coverage=0.8)
    assert series_of(case, "quality").values.tolist() == pytest.approx([0.0384**0.25] * 10)
    assert parts_of_quality(case) == {"pixels": 0.2, "spectrum": 0.4, "variety": 0.6, "coverage": 0.8}


@given(st.dictionaries(st.sampled_from(sorted(NAMES)), st.floats(0, 1), min_size=1), st.floats(0, 1))
def test_no_part_makes_up_for_another(parts, by_features):
    combined = combined_quality(parts)
    assert min(parts.values()) - 1e-9 <= combined <= max(parts.values()) + 1e-9
    assert combined_quality(parts | {"quality_pixels": 0.0}) == 0
    both, mean = combined_quality(parts | {BY_FEATURES: by_features}), sum(parts.values()) / len(parts)
    assert both == pytest.approx((combined + min(by_features, MOST_FEATURES * mean)) / 2)
    assert both <= (1 + MOST_FEATURES) / 2 * max(parts.values()) + 1e-9


@given(st.lists(st.floats(0.01, 1), min_size=4, max_size=4), st.floats(0, 1), st.floats(0, 1e-3))
def test_the_quality_has_no_jumps(values, by_features, more):
    at, beside = (
        combined_quality(
            {**dict(zip(NAMES, (value + step for value in values), strict=True)), BY_FEATURES: by_features}
        )
        for step in (0.0, more)
    )
    assert abs(beside - at) <= 5 * more + 1e-9


@pytest.mark.parametrize("value", [0.0, 1e-6, 0.01, 0.05])
def test_features_do_not_rescue_parts_that_are_nearly_zero(value: float):
    parts = dict.fromkeys([*NAMES, BY_FEATURES], value) | {BY_FEATURES: 0.9}
    assert combined_quality(parts) <= 2 * value
    assert diagnose(run_with(**parts)).verdict == "early"


def test_the_rare_part_counts_from_when_it_was_measured():
    case = case_of({"quality_pixels": [0.5] * 4, "quality_features": [None, 0.1, None, 0.9]})
    assert series_of(case, "quality").values.tolist() == pytest.approx([0.5, 0.3, 0.3, 0.7])
    assert parts_of_quality(case) == {"pixels": 0.5, "features": 0.9}


def test_the_rare_part_falls_with_the_others():
    others, rare = [0.5, 0.5, 0.6, 0.25, 0.0], [None, 0.9, None, None, None]
    case = case_of({"quality_pixels": others, "quality_features": rare})
    assert series_of(case, "quality").values.tolist() == pytest.approx([0.5, 0.7, 0.75, 0.35, 0.0])


def test_an_old_rare_part_does_not_expire_while_the_others_rise():
    case = case_of({"quality_pixels": [0.5] + [1.0] * 9, "quality_features": [0.2] + [None] * 9})
    assert series_of(case, "quality").values.tolist() == pytest.approx([0.35] + [0.6] * 9)


def test_a_measurement_after_the_last_look_belongs_to_it():
    case = case_of({"quality_pixels": [0.5, 1.0], "quality_features": [0.2, None]})
    closing = {**case.entries[-1], "health": {"quality_features": 0.6}}
    ended = replace(case, entries=(*case.entries, closing))
    assert series_of(ended, "quality").values.tolist() == pytest.approx([0.35, 0.8])
    later = {**closing, "images_seen": closing["images_seen"] + 1}
    assert learned(replace(case, entries=(*case.entries, later))).quality == pytest.approx(0.6)


def test_names_that_only_begin_like_parts_are_none():
    assert set(NAMES) == PARTS
    readings = {"diversity": [HEALTHY] * 10, "twins": [0.1] * 10, "quality_of_life": [1.0] * 10}
    assert learned(case_of(readings, known=("diversity",))).quality is None


def test_a_quality_from_before_the_last_look_does_not_count():
    readings = {"diversity": [HEALTHY] * 10, "twins": [0.1] * 10}
    old = {name: [0.6] * 9 + [None] for name in NAMES}
    found = diagnose(case_of(readings | old, known=("diversity",)))
    assert (found.verdict, found.learned.quality) == ("early", None)


@pytest.mark.parametrize(
    ("changed", "verdict", "says"),
    [
        ({}, "healthy", "two thirds of the way"),
        ({"twins": MOST_TWINS}, "early", "all images are alike so far, two thirds"),
        (UNTRAINED | {"diversity": HEALTHY}, "early", "all images are alike so far"),
        (dict.fromkeys(NAMES, 0.01), "early", "the images are no better than untrained"),
        (dict.fromkeys(NAMES, LEAST_QUALITY - 0.01), "early", "a tenth of the way"),
        ({"quality_coverage": 0.0}, "early", "the images are no better than untrained"),
    ],
)
def test_nobody_is_healthy_who_has_learned_nothing(changed, verdict, says):
    found = diagnose(run_with(**changed))
    assert (found.verdict, found.findings) == (verdict, ())
    assert says in found.sentence


def test_it_is_early_until_something_was_read():
    unread = diagnose(case_of({"stuck": [HEALTHY] * 10}))
    assert (unread.verdict, unread.as_json()["quality"]) == ("early", None)
    assert diagnose(case_of({})).verdict == "early"


def test_without_a_quality_no_run_is_healthy():
    """As in runs of earlier versions: untrained images may vary, too."""
    varied = diagnose(case_of({"diversity": [HEALTHY] * 10, "twins": [0.1] * 10}, known=("diversity",)))
    assert varied.sentence == "early: it is not known how good the images are"
    assert "it is not known how good" in varied.meaning and varied.forecast is None
    alike = diagnose(case_of({"diversity": [HEALTHY] * 10, "twins": [1.0] * 10}, known=("diversity",)))
    assert (alike.verdict, alike.sentence) == ("early", "early: all images are alike")


@pytest.mark.parametrize("watched", [False, True])
def test_without_a_quality_nobody_says_that_little_was_learned(watched):
    readings = {"diversity": [HEALTHY] * 20, "twins": [0.1] * 20, "rhythm": turning(0.9)}
    run = case_of(readings, known=("diversity", "rhythm"))
    fields = {"rates_known": False, "layers": []} if watched else {}
    found = diagnose(replace(run, watched=watched, recipe={**run.recipe, **fields}))
    assert [finding.name for finding in found.findings] == ["oscillation"]
    assert found.meaning == "something needs attention, and it is not known how good the images are"
    assert "little" not in found.sentence + found.state
    alike = case_of(readings | {"twins": [1.0] * 20}, known=("diversity", "rhythm"))
    assert diagnose(alike).meaning.startswith("little has been learned yet")


def test_what_is_wrong_is_worse_than_early():
    readings = {"stuck": turning(0.9), **{name: [value] * 20 for name, value in UNTRAINED.items()}}
    assert diagnose(case_of(readings, known=("stuck",))).verdict == "sick"


VALUES = st.one_of(
    st.floats(allow_nan=True, allow_infinity=True), st.none(), st.booleans(), st.text(max_size=3)
)


@given(
    st.dictionaries(st.sampled_from(READ), st.lists(VALUES, min_size=1, max_size=30), max_size=12),
    st.lists(st.floats(0, LEAST_QUALITY / 2, exclude_max=True), min_size=1, max_size=30),
    st.lists(st.one_of(st.none(), st.floats(0, 1)), max_size=30),
)
def test_no_journal_makes_an_untrained_generator_healthy(readings, qualities, by_features):
    last = max(map(len, (*readings.values(), qualities, by_features)))
    readings = {"diversity": [HEALTHY] * last} | readings  # so that there is something to base a verdict on
    scores = {name: [0.9] * (last - 1) + [qualities[-1]] for name in NAMES} | {BY_FEATURES: by_features}
    assert diagnose(case_of(readings | scores, known=READ)).verdict != "healthy"
    alike = {"twins": [0.0] * (last - 1) + [1.0], **{name: [1.0] * last for name in NAMES}}
    assert diagnose(case_of(readings | alike, known=READ)).verdict != "healthy"


@given(st.floats(0, 1))
def test_every_quality_has_words(quality):
    assert in_words(quality)


def test_words_rise_with_the_quality():
    shares = {"a tenth": 0.1, "a fifth": 0.2, "a quarter": 0.25, "a third": 1 / 3, "half": 0.5}
    shares |= {"two thirds": 2 / 3, "three quarters": 0.75, "nine tenths": 0.9}
    for words, share in shares.items():
        assert in_words(share).startswith(f"{words} of the way")
    assert in_words(0.0) == "no better than untrained" and "real" in in_words(1.0)


def unusual(case, *sentences: str):
    return replace(case, unusual=[("discriminator.optimizer.lr", sentence) for sentence in sentences])


def test_unusual_settings_count_only_beside_something_else():
    named = "the learning rate of the discriminator is 0.01"
    assert diagnose(unusual(run_with(), named)).verdict == "healthy"
    early = diagnose(
        replace(unusual(run_with(**UNTRAINED), named), undoing=["discriminator.optimizer.lr=2e-4"])
    )
    (finding,) = [each for each in early.findings if each.name == "unusual-settings"]
    assert early.verdict in ("watch", "sick") and finding.evidence[0].text == named
    assert finding.remedy.settings == ("discriminator.optimizer.lr=2e-4",)
    readings = {"stuck": turning(0.9), **{name: [0.6] * 20 for name in NAMES}}
    beside = diagnose(unusual(case_of(readings, known=("stuck",)), named))
    assert [each.name for each in beside.findings] == ["output-saturated", "unusual-settings"]
    few = unusual(replace(run_with(), num_pictures=30), named)
    assert [each.name for each in diagnose(few).findings] == ["too-few-pictures"], "which is no symptom"
    assert learned(run_with()).is_little is False


def test_no_built_in_recipe_is_unusual():
    for name in recipes.names():
        assert unusual_settings(resolve(name, {})) == ()


@pytest.mark.parametrize(
    ("recipe", "path", "value", "says"),
    [
        ("radford2015", "discriminator.optimizer.lr", 0.01, "50 times the value in radford2015 (0.0002)"),
        ("modern", "generator.optimizer.lr", 1e-5, "1/100 of the value in modern (0.001)"),
        ("modern", "generator.width", 641, "times the largest value in any built-in recipe (64)"),
        ("modern", "discriminator.width", 1, "1/16 of the smallest value in any built-in recipe (16)"),
        ("seed", "batch", 2048, "16 times the largest value in any built-in recipe (128)"),
        ("modern", "stabilisers", [{"name": "r1", "weight": 20.0}], "100 times the value in modern (0.2)"),
        ("seed", "stabilisers", [{"name": "wgan-gp", "weight": 1e4}], "1,000 times its default (10)"),
        ("modern", "generator.optimizer.betas", [0.999, 0.99], "beta1 of the generator is 0.999, an average"),
        ("seed", "discriminator.optimizer.betas", [0.5, 0.1], "over 1/90 of the steps of the smallest value"),
        (
            "seed",
            "latent.size",
            1,
            "of the latent is 1, 1/32 of the smallest value that was measured",
        ),
        ("modern", "loss.temperature", 50, "50 times the largest value in any built-in recipe (1)"),
        ("modern", "loss.temperature", 0.01, "1/100 of the smallest value in any built-in recipe (1)"),
        ("modern", "discriminator.slope", 1.0, "is 1, a straight line; the largest value"),
        ("radford2015", "discriminator_steps", 100, "20 times the largest value that was measured (5)"),
    ],
)
def test_settings_far_from_all_recipes_are_named(recipe, path, value, says):
    (setting,) = unusual_settings(resolve(recipe, {path: value}))
    assert setting.path == path and says in setting.sentence


@pytest.mark.parametrize(
    "changed",
    [
        {
            "loss.name": "wasserstein",
            "loss.smoothing": 0.0,
            "stabilisers": "wgan-gp",
            "discriminator_steps": 5,
        },
        {"generator.optimizer.betas": [0.0, 0.9], "discriminator.optimizer.betas": [0.0, 0.9]},
        {"generator.optimizer.betas": [0.9, 0.999], "discriminator.optimizer.betas": [0.9, 0.999]},
        {"generator.slope": 1.0, "discriminator.slope": 0.0},  # relu in the generator, which has no slope
        {"latent.size": 512, "discriminator.slope": 0.01},
        {"ema": 0.0},
        {"ema": 0.9999999},
        {"stabilisers": "r1,r2,spectral,instance-noise,augmentation"},
    ],
)
@pytest.mark.parametrize("name", recipes.names())
def test_what_others_train_with_is_not_far(name, changed):
    activation = {"generator.activation": "relu"}
    assert unusual_settings(resolve(name, activation | changed)) == ()


@given(st.integers(4, 10).map(lambda power: 2**power), st.floats(1e2, 1e9))
def test_nothing_that_the_scaling_rule_fits_is_far(batch, images):
    assert unusual_settings(resolve("modern", fitted_settings(batch, images))) == ()


def test_a_setting_at_the_edge_is_not_named():
    rate = resolve("modern", {}).generator.optimizer.lr
    assert unusual_settings(resolve("modern", {"generator.optimizer.lr": FAR * rate})) == ()
    assert unusual_settings(resolve("modern", {"generator.optimizer.lr": rate / FAR})) == ()


def test_an_uneven_ladder_counts_as_long_as_little_has_been_learned():
    uneven = ["size=33", "ladder=[33, 16, 8]"]

    def names(case):
        return [finding.name for finding in diagnose(case).findings]

    assert names(case_of({}, settings=uneven)) == ["uneven-ladder"]
    readings = {"diversity": [HEALTHY] * 10, "twins": [0.05] * 10, **{name: [0.6] * 10 for name in NAMES}}
    assert names(case_of(readings, settings=uneven, known=("diversity",))) == []
    beside = case_of(readings | {"stuck": [0.9] * 10}, settings=uneven, known=("diversity", "stuck"))
    assert set(names(beside)) == {"output-saturated", "uneven-ladder"}
    assert names(case_of({})) == []
