"""Every measure, against an independent reference, on sets with a known answer, with swapped sides."""

import numpy as np
import pytest
import scipy.linalg
import scipy.stats
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.neighbors import NearestNeighbors
from torch import nn
from torchmetrics.image.fid import FrechetInceptionDistance
from torchmetrics.image.kid import KernelInceptionDistance

from ganzfeld.errors import UsageError
from ganzfeld.metrics import Comparison, Side, measure, space
from ganzfeld.metrics.comparison import distances
from ganzfeld.metrics.intervals import jackknife, plain, share
from ganzfeld.metrics.measures import chosen, figure_names
from ganzfeld.metrics.measures.density_coverage import density_coverage
from ganzfeld.metrics.measures.frechet_distance import frechet_distance
from ganzfeld.metrics.measures.kernel_distance import estimate, kernel_distance
from ganzfeld.metrics.measures.memorisation import memorised, nearer_than, suspects
from ganzfeld.metrics.measures.precision_recall import precision_recall
from ganzfeld.metrics.measures.sliced_wasserstein import distances_of_lines
from ganzfeld.metrics.measures.spectrum_distance import profiles, spectrum_distance
from tests.conftest import blobs

pytestmark = pytest.mark.machine


def normal(num: int, size: int, seed: int, mean: float = 0.0, spread: float = 1.0) -> torch.Tensor:
    random = np.random.default_rng(seed)
    return torch.from_numpy(random.normal(mean, spread, (num, size)))


def compared(generated: np.ndarray, real: np.ndarray, training: np.ndarray | None = None) -> Comparison:
    """Compare images in the small space; by default the real ones are the training images."""
    small = space("random-convolutions")
    ours, reals = (Side(images, small.features(images)) for images in (generated, real))
    theirs = reals if training is None else Side(training, small.features(training))
    return Comparison(ours, reals, theirs, small)


def figures(comparison: Comparison, *only: str) -> dict[str, float]:
    return {each.figure.name: each.figure.value for each in measure(comparison, list(only))}


def of_points(x: torch.Tensor, y: torch.Tensor):
    among = [distances(each, each).fill_diagonal_(torch.inf) for each in (x, y)]
    return distances(x, y), *among


class Given(nn.Module):
    """A network for torchmetrics whose features are its images."""

    num_features = 20

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images.flatten(1)


class TestAgainstReferences:
    """Agreement with other implementations to 1e-6."""

    @pytest.mark.parametrize(("num", "other"), [(300, 200), (30, 25), (30, 200)])
    def test_frechet_distance_is_scipys(self, num, other):
        x, y = normal(num, 40, 1), normal(other, 40, 2, 0.3, 1.5)
        covariances = [np.cov(each.numpy(), rowvar=False) for each in (x, y)]
        root = scipy.linalg.sqrtm(covariances[0] @ covariances[1])
        expected = float(((x.mean(0) - y.mean(0)) ** 2).sum())
        expected += sum(np.trace(each) for each in covariances) - 2 * np.trace(root).real
        # Where a covariance lacks rank, SciPy's root is itself good to 1e-6 of its trace only.
        tolerance = 1e-6 if min(num, other) > 40 else 1e-5
        assert frechet_distance(x, y) == pytest.approx(expected, rel=tolerance)

    def test_frechet_distance_is_torchmetrics(self):
        x, y = normal(200, 20, 1), normal(150, 20, 2, 0.5)
        theirs = FrechetInceptionDistance(feature=Given(), input_img_size=(1, 4, 5))
        theirs.set_dtype(torch.float64)
        theirs.update(y.reshape(-1, 1, 4, 5), real=True)
        theirs.update(x.reshape(-1, 1, 4, 5), real=False)
        assert frechet_distance(x, y) == pytest.approx(float(theirs.compute()), rel=1e-6)

    @pytest.mark.filterwarnings("ignore:Metric `Kernel Inception Distance` will save:UserWarning")
    def test_kernel_distance_is_torchmetrics(self):
        x, y = normal(60, 20, 1), normal(60, 20, 2, 0.5)
        theirs = KernelInceptionDistance(feature=Given(), subsets=1, subset_size=60)
        theirs.set_dtype(torch.float64)
        theirs.update(y, real=True)
        theirs.update(x, real=False)
        assert kernel_distance(x, y) == pytest.approx(float(theirs.compute()[0]), rel=1e-6)

    @pytest.mark.parametrize("seed", range(3))
    def test_precision_recall_density_and_coverage_are_those_of_nearest_neighbours(self, seed):
        x, y = normal(70, 5, seed, 0.4, 0.7), normal(90, 5, seed + 50)

        def radii(points, k):
            return NearestNeighbors(n_neighbors=k + 1).fit(points).kneighbors(points)[0][:, -1]

        def inside(points, balls, k):
            apart = scipy.spatial.distance.cdist(points, balls)
            return apart < radii(balls, k) * (1 + 1e-12)

        among_real, among_generated = inside(x, y, 3), inside(y, x, 3)
        expected = [among_real.any(1).mean(), among_generated.any(1).mean()]
        assert precision_recall(*of_points(x, y)) == pytest.approx(expected, abs=1e-6)
        five = inside(x, y, 5)
        expected = [five.sum() / (5 * len(x)), five.any(0).mean()]
        between, _, real = of_points(x, y)
        assert density_coverage(between, real) == pytest.approx(expected, abs=1e-6)

    @pytest.mark.parametrize(("num", "other"), [(30, 30), (30, 47), (7, 5)])
    def test_lines_are_as_far_apart_as_scipy_says(self, num, other):
        x, y = normal(num, 3, 1), normal(other, 3, 2, 0.2)
        expected = [scipy.stats.wasserstein_distance(x[:, line], y[:, line]) for line in range(3)]
        assert distances_of_lines(x, y).numpy() == pytest.approx(expected, rel=1e-6)

    def test_power_is_that_of_a_loop_over_frequencies(self):
        image = blobs(1, 12)
        grey = image[0].mean(-1) / 255
        rows, columns = np.mgrid[:12, :12]
        sums: dict[int, list[float]] = {}
        for down in range(-6, 6):
            for across in range(-6, 6):
                wave = np.exp(-2j * np.pi * (down * rows + across * columns) / 12)
                band = round(float(np.hypot(down, across)))
                sums.setdefault(band, []).append(abs((grey * wave).sum()) ** 2 / 144)
        expected = [np.mean(sums[band]) for band in range(1, 7)]
        assert profiles(image)[0] == pytest.approx(expected, rel=1e-6)


class TestKnownAnswers:
    def test_the_same_images(self):
        images = blobs(80, 16)
        found = figures(compared(images, images))
        assert found["precision"] == found["recall"] == found["coverage"] == found["diversity"] == 1
        for name in ("frechet_distance", "sliced_wasserstein", "spectrum_distance"):
            assert found[name] == pytest.approx(0, abs=1e-7)
        assert found["kernel_distance"] < 0, "an unbiased estimate takes equal images for luck"
        assert found["memorised"] == 1

    def test_one_of_many_kinds_has_precision_and_no_recall(self):
        """Fail if the two figures are swapped."""
        real = blobs(120, 16, seed=1)
        narrow = np.repeat(blobs(60, 16, seed=2)[:1], 60, axis=0)
        narrow = (narrow.astype(int) + np.random.default_rng(0).integers(0, 2, narrow.shape)).clip(0, 255)
        found = figures(compared(narrow.astype(np.uint8), real), "precision", "recall", "diversity")
        assert found["precision"] > 0.9 and found["recall"] < 0.1 and found["diversity"] < 0.2

    def test_more_than_there_is_has_recall_and_little_precision(self):
        half = blobs(60, 16, seed=1)
        strange = np.random.default_rng(0).integers(0, 255, half.shape, dtype=np.uint8)
        found = figures(compared(np.concatenate([blobs(60, 16, seed=2), strange]), half), "precision-recall")
        assert found["precision"] < 0.6 and found["recall"] > 0.8

    def test_copies_are_found_and_shown(self):
        training = blobs(100, 16, seed=1)
        fresh, copies = blobs(60, 16, seed=2), training[:30]
        honest = compared(fresh, training)
        thief = compared(np.concatenate([copies, fresh[30:]]), training)
        assert figures(honest, "memorised")["memorised"] < 0.15
        assert figures(thief, "memorised")["memorised"] > 0.45
        sheet = suspects(thief)
        assert sheet is not None
        assert sheet.shape == (8 * 6, 16, 16, 3)
        assert all(np.array_equal(sheet[row], sheet[row + 1]) for row in range(0, 48, 6)), "the copied one"

    def test_other_images_do_not_hide_copies(self):
        training = blobs(100, 16, seed=1)
        comparison = compared(training[:60], blobs(90, 16, seed=3), training)
        (found,) = measure(comparison, ["memorised"])
        assert found.figure.value == 1 and found.num_reals == 100

    def test_copies_are_nearer_than_what_was_held_out(self):
        training, held_out, fresh = (blobs(100, 16, seed=seed) for seed in (1, 2, 3))
        thief = np.concatenate([training[:50], fresh[:50]])
        rates = [
            figures(compared(ours, held_out, training), "memorisation")["nearer_than_held_out"]
            for ours in (training, thief, fresh, 255 - fresh)
        ]
        assert rates[0] == 1 and rates[3] == 0
        assert rates[1] > 0.65 and 0.35 < rates[2] < 0.65
        assert [each.figure.name for each in measure(compared(fresh, held_out), ["memorisation"])] == [
            "memorised"
        ]
        swapped = figures(compared(held_out, fresh, training), "memorisation")["nearer_than_held_out"]
        assert swapped == pytest.approx(1 - rates[2]), "generated and held-out images are not mixed up"

    def test_what_was_trained_on_is_not_held_out(self):
        training, held_out, ours = (blobs(100, 16, seed=seed) for seed in (1, 2, 3))
        mixed = np.concatenate([training[:60], held_out])
        rates = [
            figures(compared(ours, other, training), "memorisation")["nearer_than_held_out"]
            for other in (held_out, mixed)
        ]
        assert rates[0] == rates[1] > 0.3
        found = measure(compared(ours, training[:60], training), ["memorisation"])
        assert [each.figure.name for each in found] == ["memorised"]

    @given(st.lists(st.integers(0, 6), min_size=1), st.lists(st.integers(0, 6), min_size=1))
    def test_how_often_one_is_nearer_is_the_u_statistic(self, ours, theirs):
        expected = scipy.stats.mannwhitneyu(theirs, ours).statistic / (len(ours) * len(theirs))
        assert nearer_than(torch.tensor(ours), torch.tensor(theirs)) == pytest.approx(expected)

    def test_copies_within_the_training_set_do_not_lower_the_measure(self):
        among = distances(points := normal(40, 3, 0), points).fill_diagonal_(torch.inf)
        twice = distances(doubled := torch.cat([points, points]), doubled).fill_diagonal_(torch.inf)
        near = distances(points + 1e-3, points)
        assert memorised(near, among) == memorised(torch.cat([near, near], 1), twice) == 1

    def test_a_checkerboard_shows_in_the_spectrum(self):
        real, board = blobs(60, 16, seed=1), blobs(60, 16, seed=2)
        plain_distance = spectrum_distance(profiles(board), profiles(real))
        board[:, ::2, ::2] //= 2
        assert spectrum_distance(profiles(board), profiles(real)) > 3 * plain_distance


class TestProperties:
    @settings(max_examples=15)
    @given(seed=st.integers(0, 99), factor=st.floats(0.1, 10))
    def test_neighbourhoods_know_no_unit(self, seed, factor):
        x, y = normal(30, 4, seed), normal(40, 4, seed + 1000)
        assert precision_recall(*of_points(x, y)) == precision_recall(*of_points(x * factor, y * factor))
        assert frechet_distance(x * factor, y * factor) == pytest.approx(
            factor**2 * frechet_distance(x, y), rel=1e-9
        )
        scaled = distances_of_lines(x * factor, y * factor)
        assert torch.allclose(scaled, factor * distances_of_lines(x, y), rtol=1e-9)

    @settings(max_examples=15)
    @given(seed=st.integers(0, 99))
    def test_order_does_not_matter_and_sides_are_sides(self, seed):
        x, y = normal(25, 4, seed), normal(35, 4, seed + 1000, 0.5)
        order = torch.randperm(25, generator=torch.Generator().manual_seed(seed))
        assert precision_recall(*of_points(x[order], y)) == precision_recall(*of_points(x, y))
        assert precision_recall(*of_points(y, x)) == precision_recall(*of_points(x, y))[::-1]
        for symmetric in (frechet_distance, kernel_distance):
            assert symmetric(x[order], y) == pytest.approx(symmetric(x, y), rel=1e-9, abs=1e-9)
            assert symmetric(y, x) == pytest.approx(symmetric(x, y), rel=1e-9, abs=1e-9)

    @settings(max_examples=15)
    @given(seed=st.integers(0, 99))
    def test_a_set_is_no_distance_from_itself(self, seed):
        x = normal(30, 4, seed)
        assert frechet_distance(x, x) == pytest.approx(0, abs=1e-9)
        assert precision_recall(*of_points(x, x)) == [1, 1]
        assert float(distances_of_lines(x, x).max()) == 0


class TestIntervals:
    def test_error_of_the_kernel_distance_is_that_of_leaving_out_each(self):
        x, y = normal(12, 3, 1), normal(9, 3, 2, 1.0)

        def variance(values):
            return (len(values) - 1) / len(values) * np.square(values - np.mean(values)).sum()

        without_x = [kernel_distance(x[[j for j in range(12) if j != i]], y) for i in range(12)]
        without_y = [kernel_distance(x, y[[j for j in range(9) if j != i]]) for i in range(9)]
        value, error = estimate(x, y)
        assert value == pytest.approx(kernel_distance(x, y), rel=1e-12)
        assert error == pytest.approx((variance(without_x) + variance(without_y)) ** 0.5, rel=1e-9)

    def test_error_is_the_spread_over_many_draws(self):
        """Check it to a third, for the kernel distance of different sets and for a plain mean."""
        draws = [estimate(normal(60, 4, i, 0.6), normal(60, 4, i + 1000)) for i in range(150)]
        spread = np.std([value for value, _ in draws])
        assert np.mean([error for _, error in draws]) == pytest.approx(spread, rel=0.33)
        errors = []
        for seed in range(100):
            x, y = (np.random.default_rng(seed + shift).normal(size=100) for shift in (0, 5000))
            _, (error,) = jackknife(
                lambda mine, theirs, x=x, y=y: [x[mine].mean() - y[theirs].mean()], (100, 100), seed
            )
            errors.append(error)
        assert np.sqrt(np.mean(np.square(errors))) == pytest.approx(np.sqrt(2 / 100), rel=0.2)

    def test_shares_are_never_certain(self):
        for value in (0.0, 1.0):
            figure = share("x", value, 0.0, 50)
            assert 0 <= figure.low <= value <= figure.high <= 1
            assert figure.high - figure.low > 0.05
        narrow, wide = (share("x", 0.3, error, 1000) for error in (0.02, 0.1))
        assert wide.low < narrow.low < 0.3 < narrow.high < wide.high

    def test_limits_stay_where_a_figure_can_be(self):
        assert plain("x", 0.1, 1.0, least=0.0).low == 0
        assert plain("x", 0.1, 1.0).low < 0


class TestMeasured:
    def test_says_what_it_was_taken_of(self):
        comparison = compared(blobs(60, 16, seed=1), blobs(70, 16, seed=2))
        found = {each.figure.name: each for each in measure(comparison)}
        assert set(found) == set(figure_names()) - {"fid", "nearer_than_held_out"}
        of_features = found["kernel_distance"].as_json()
        assert set(of_features) >= {"name", "value", "low", "high", "num_samples", "features"}
        assert (of_features["num_samples"], of_features["num_reals"]) == (60, 70)
        assert of_features["features"] == "random-convolutions"
        assert of_features["features_sha256"] == space("random-convolutions").sha256
        assert of_features["resize_px"] == 32
        assert found["sliced_wasserstein"].as_json()["features"] == "pixels"
        assert not [name for name in found if "fid" in name.casefold()]

    def test_names_of_metrics_and_of_figures(self):
        assert set(chosen(["precision-recall"])) == {"precision", "recall"}
        assert set(chosen(["Recall", "kernel_distance"])) == {"recall", "kernel_distance"}
        with pytest.raises(UsageError, match="precison") as caught:
            chosen(["precison"])
        assert "precision" in caught.value.hint

    def test_too_few_are_refused(self):
        with pytest.raises(UsageError, match="50"):
            compared(blobs(49, 16), blobs(60, 16))
