"""Anomalies: what is usual, the threshold, the baselines and the area under the ROC curve."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import roc_auc_score

import ganzfeld as gz
from ganzfeld.errors import DataError, UsageError
from ganzfeld.inside.anomaly.baselines import baselines_of, nearest_normal
from ganzfeld.inside.anomaly.calibration import (
    num_needed,
    out_of_fold,
    rank_for,
    rate_interval,
    threshold_of,
)
from ganzfeld.inside.anomaly.linear import fit_linear
from ganzfeld.inside.anomaly.ranking import auroc, difference, ranking
from ganzfeld.inside.anomaly.residual import (
    FLOOR,
    blurred,
    deviations_from_others,
    fit_usual,
    gaussian_weights,
    heat_maps,
)

SIDE = 16


def residuals(num: int, seed: int, loud: float = 6.0) -> np.ndarray:
    """Noise of deviation 1, except in the upper half, where it is ``loud``."""
    random = np.random.default_rng(seed)
    noise = random.standard_normal((num, SIDE, SIDE, 1)).astype(np.float32)
    noise[:, : SIDE // 2] *= loud
    return noise


def with_patch(images: np.ndarray, level: float = 12.0) -> np.ndarray:
    """Images with a square of 4x4 in the quiet half moved by ``level``."""
    changed = images.copy()
    changed[:, 10:14, 6:10] += level
    return changed


def test_a_patch_where_little_is_usual_is_found_only_by_dividing():
    """The planted defect: 12 levels where 1 is usual, beside noise of 6 where 6 are usual."""
    usual, _, _ = fit_usual(residuals(100, 0))
    clean, broken = residuals(100, 1), with_patch(residuals(100, 2))
    is_broken = np.arange(200) >= 100
    both = np.concatenate([clean, broken])
    plain = blurred(np.square(both).mean(-1)).max((1, 2))
    assert auroc(plain, is_broken) < 0.7
    ratios = usual.ratios(both)
    assert auroc(usual.scores(ratios), is_broken) > 0.99
    maps = heat_maps(ratios)[100:]
    where = np.zeros((SIDE, SIDE), bool)
    where[10:14, 6:10] = True
    assert auroc(maps.reshape(100, -1).mean(0), where.ravel()) > 0.98
    assert maps[:, where].mean() > 3 * maps[:, ~where].mean()


def test_maps_are_one_where_all_is_as_usual():
    usual, _, _ = fit_usual(residuals(200, 0, loud=1.0))
    ratios = usual.ratios(residuals(200, 1, loud=1.0))
    expected = 1 / (1 + FLOOR + 1 / 12)
    assert ratios.mean() == pytest.approx(expected, rel=0.1), "and the floor under what is usual"


def test_what_normal_residuals_have_in_common_is_taken_off():
    random = np.random.default_rng(0)
    shape = random.standard_normal((1, SIDE, SIDE, 1)).astype(np.float32)

    def shaded(num: int, seed: int) -> np.ndarray:
        strength = np.random.default_rng(seed).standard_normal((num, 1, 1, 1)).astype(np.float32)
        return residuals(num, seed, loud=1.0) + 20 * strength * shape

    normal, other = shaded(80, 1), shaded(80, 2)
    usual, _, _ = fit_usual(normal)
    assert usual.linear.remainder(other.reshape(80, -1)).std() < 1.5 < other.std()


def test_directions_are_the_principal_components():
    values = np.random.default_rng(0).standard_normal((30, 50)).astype(np.float32)
    linear = fit_linear(values, 5)
    _, _, rows = np.linalg.svd(values - values.mean(0), full_matrices=False)
    assert np.allclose(np.abs(linear.directions @ rows[:5].T), np.eye(5), atol=1e-3)
    again = np.concatenate([values, values])
    assert len(fit_linear(again[:, :8], 20).directions) <= 8, "no directions beyond those that there are"
    assert np.isfinite(fit_linear(np.ones((6, 4), np.float32), 3).remainder(values[:, :4])).all()


def test_no_image_takes_part_in_its_own_score():
    """An outlier among the normal images is as far out as if it were a new image."""
    normal = residuals(60, 0, loud=1.0)
    odd = with_patch(residuals(1, 5, loud=1.0), 40.0)
    _, ratios, scores = fit_usual(np.concatenate([normal, odd]))
    usual, _, _ = fit_usual(normal)
    assert scores[-1] == pytest.approx(float(usual.scores(usual.ratios(odd))[0]), rel=0.1)
    assert scores[-1] > scores[:-1].max() and ratios[-1].max() > ratios[:-1].max()


def test_deviations_leave_out_the_row_itself():
    logs = np.random.default_rng(0).standard_normal((7, 3)) + 100
    expected = [
        (row - others.mean(0)) / others.std(0, ddof=1)
        for row, others in ((logs[i], np.delete(logs, i, 0)) for i in range(7))
    ]
    assert np.allclose(deviations_from_others(logs), expected)


def test_everything_is_scored_by_what_was_fitted_without_it():
    values = np.arange(23.0)

    def fit(part: np.ndarray):
        return lambda images: np.array([value in part for value in images])

    assert not out_of_fold(values, fit).any()
    assert np.array_equal(out_of_fold(values, lambda _: np.copy), values), "in the order of the values"


def test_weights_are_gaussian_and_sum_to_one_at_the_border_too():
    weights = gaussian_weights(21, 1.5)
    assert np.allclose(weights.sum(1), 1)
    assert weights[10, 13] / weights[10, 10] == pytest.approx(math.exp(-2), rel=1e-4)
    assert weights[0, 0] > weights[10, 10]


def test_the_rate_of_false_alarms_holds():
    """Over 40 detectors, each with 60 normal images of its own: the mean rate is the stated one, or below."""
    rates = []
    for seed in range(40):
        usual, _, own = fit_usual(residuals(60, 100 + seed))
        scores = usual.scores(usual.ratios(residuals(200, 10_000 + seed)))
        rates.append((scores > threshold_of(own, 0.1)).mean())
    stated = 1 - rank_for(60, 0.1) / 61
    error = math.sqrt((stated * (1 - stated) / 62 + stated * (1 - stated) / 200) / 40)
    assert stated - 0.03 - 4 * error < np.mean(rates) < stated + 4 * error, "tenths score a bit higher"


@pytest.mark.parametrize("rate", [0.5, 0.1, 0.05, 0.01, 1 / 3])
def test_the_threshold_is_exceeded_with_the_probability_of_its_place(rate: float):
    num = num_needed(rate)
    rank = rank_for(num, rate)
    assert 1 - rank / (num + 1) <= rate + 1e-12, "never more than the rate"
    assert num == 20 or num - 1 < 1 / rate - 1, "no more than is needed"
    scores = np.random.default_rng(0).permutation(num).astype(float)
    assert threshold_of(scores, rate) == rank - 1
    low, high = rate_interval(num, rate)
    beta = stats.beta(num + 1 - rank, rank)
    assert (low, high) == (pytest.approx(beta.ppf(0.025)), pytest.approx(beta.ppf(0.975)))


@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(-3, 3), st.booleans()), min_size=2, max_size=40))
def test_auroc_is_that_of_scikit_learn(pairs: list[tuple[int, bool]]):
    scores, truth = np.array([pair[0] for pair in pairs], float), np.array([pair[1] for pair in pairs])
    if truth.all() or not truth.any():
        return
    result = ranking(scores, truth)
    assert result.auroc == pytest.approx(roc_auc_score(truth, scores))
    assert 0 <= result.low <= result.auroc <= result.high <= 1
    value, low, high = difference(scores, -scores, truth)
    assert value == pytest.approx(2 * result.auroc - 1) and low <= value <= high


def test_intervals_cover_as_often_as_they_say():
    """Normal scores, 40 of each kind; the true AUROC is that of a shift by 1."""
    random, covered, differs = np.random.default_rng(0), [], []
    truth = np.arange(80) >= 40
    true = float(stats.norm.cdf(1 / math.sqrt(2)))
    for _ in range(400):
        common = random.standard_normal(80) + truth
        first, second = (common + 0.5 * random.standard_normal(80) for _ in range(2))
        result = ranking(common, truth)
        covered.append(result.low <= true <= result.high)
        _, low, high = difference(first, second, truth)
        differs.append(not low <= 0 <= high)
    assert 0.91 < np.mean(covered) < 0.99
    assert 0.02 < np.mean(differs) < 0.1, "two methods that are equally good"


def test_certainty_is_never_claimed():
    result = ranking(np.arange(20.0), np.arange(20) >= 10)
    assert result.auroc == result.high == 1 and result.low < 0.8


def test_baselines_are_what_they_are_called():
    normal = (128 + 3 * residuals(40, 0, loud=1.0)).round().clip(0, 255).astype(np.uint8)
    broken = with_patch(128 + 3 * residuals(3, 1, loud=1.0), 60).astype(np.uint8)
    images = np.concatenate([normal[:3], broken])
    by_name = {entry.name: entry for entry in baselines_of(images, normal, 0.05)}
    assert not by_name["nearest"].scores[:3].any(), "a normal image is its own nearest one"
    assert by_name["pca"].is_flagged[3:].all() and by_name["pca"].scores[:3].max() < by_name["pca"].threshold
    distances = np.sqrt(((images[3:, None].astype(float) - normal[None]) ** 2).mean((2, 3, 4))).min(1)
    assert np.allclose(by_name["nearest"].scores[3:], distances)
    _, own = nearest_normal(images.astype(np.float32), normal.astype(np.float32))
    assert own.min() > 1, "of normal images the nearest other one"


def test_a_patch_on_what_a_run_learned_is_flagged(run: gz.Run):
    """The whole way on a run of seconds: its own images are normal, a patch of 5x5 is not."""
    images = run.sample(90)
    broken = images[60:].copy()
    broken[:, 5:10, 6:11] = 255 - broken[:, 5:10, 6:11]
    tested, truth = np.concatenate([images[60:], broken]), np.arange(60) >= 30
    done = gz.anomalies(run, tested, images[:60], truth=truth, compare=True, progress=False)
    assert done.ranking is not None and done.ranking.auroc == auroc(done.scores, truth) > 0.95
    assert done.is_flagged[30:].mean() > 0.8 and done.is_flagged[:30].mean() < 0.3
    inside, outside = done.maps[30:, 5:10, 6:11].mean(), done.maps[30:].mean()
    assert inside > 2 * outside
    assert [entry.name for entry in done.baselines] == ["pca", "nearest"]
    assert "AUROC" in done.sentence and "baseline" in done.sentence and not done.notes
    without = gz.anomalies(run, tested, images[:60], progress=False)
    assert np.allclose(without.scores, done.scores) and without.ranking is None


def test_the_sentence_says_when_a_baseline_wins(run: gz.Run):
    done = gz.anomalies(run, run.sample(20), run.sample(seeds=range(20, 45)), compare=True, progress=False)
    truth = np.arange(20, dtype=np.int8) % 2
    order = done.scores * 0 + truth  # a baseline that knows
    for scores, expected in ((order, "a baseline wins: PCA"), (-order, "better than the best baseline")):
        ours = np.random.default_rng(0).standard_normal(20) if expected.startswith("a b") else order
        baselines = tuple(
            type(entry)(scores, entry.normal_scores, entry.threshold, entry.name) for entry in done.baselines
        )
        fields = {name: getattr(done, name) for name in done.__dataclass_fields__}
        other = type(done)(**fields | {"scores": ours, "truth": truth, "baselines": baselines})
        assert expected in other.sentence
    assert "unknown which method is right" in done.sentence


@pytest.mark.thorough
def test_it_works_with_classes(conditional_run: gz.Run):
    images = conditional_run.sample(30)
    for of in (None, 0):
        done = gz.anomalies(conditional_run, images[:3], images[3:], of=of, progress=False)
        assert np.isfinite(done.scores).all() and done.maps.shape == (3, 16, 16)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"normal": 19}, DataError, "needs 20 normal images or more, and there are 19"),
        ({"normal": 1}, DataError, "there is 1"),
        (
            {"rate": 0.01},
            DataError,
            "needs 99 normal images or more.*; 40 allow a rate of 0.0244",
        ),
        ({"rate": 0.0}, UsageError, "above 0 and at most 0.5"),
        ({"rate": math.nan}, UsageError, "above 0 and at most 0.5"),
        ({"method": "bets"}, UsageError, "unknown method"),
        ({"of": "dog"}, UsageError, "class"),
        ({"truth": [True]}, UsageError, "truth has 1 values for 2 images"),
        ({"images": torch.full((1, 3, 16, 16), math.nan)}, DataError, "NaN"),
        ({"images": np.zeros((1, 20, 20, 3), np.uint8)}, DataError, "20x20 px"),
        ({"images": np.zeros((1, 16, 16, 1), np.uint8)}, DataError, "1 channels"),
    ],
)
def test_mistakes_are_refused_before_anything_is_fitted(run: gz.Run, change, error, message: str):
    arguments = {"images": run.sample(2), "normal": 40} | change
    normal = run.sample(arguments.pop("normal"))
    with pytest.raises(error, match=message):
        gz.anomalies(run, arguments.pop("images"), normal, progress=False, **arguments)
