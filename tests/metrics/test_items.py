"""Measures of maps and sequences and their baselines: against references, closed forms and known answers."""

from collections import Counter
from typing import Any

import numpy as np
import pytest
import scipy.ndimage
import scipy.spatial.distance
import scipy.stats
import torch

from ganzfeld.errors import UsageError
from ganzfeld.metrics import measures
from ganzfeld.metrics.baselines import baselines, baselines_of
from ganzfeld.metrics.baselines._chains import order_of
from ganzfeld.metrics.item_measurement import OF_KIND, chosen_of, measure_items, winners
from ganzfeld.metrics.items import ItemComparison
from ganzfeld.metrics.maps.channel_correlations import correlations
from ganzfeld.metrics.maps.minkowski import functionals
from ganzfeld.metrics.maps.peaks import are_peaks
from ganzfeld.metrics.maps.value_distribution import measure as value_distance
from ganzfeld.metrics.sequences._spectra import divergence, words_of
from ganzfeld.metrics.sequences.gc_content import gc_of
from ganzfeld.metrics.sequences.gc_content import measure as gc_distance
from ganzfeld.metrics.sequences.nearest_training import hamming

pytestmark = pytest.mark.machine

LETTERS = "ACGT"


def sequences(num: int, seed: int, shares: tuple[float, ...] = (0.4, 0.3, 0.2, 0.1)) -> np.ndarray:
    return np.random.default_rng(seed).choice(4, (num, 24, 1), p=shares).astype(np.uint8)


def chained(num: int, seed: int) -> np.ndarray:
    """Sequences in which a letter is followed by the next one of the alphabet in seven of ten cases."""
    random = np.random.default_rng(seed)
    steps = random.choice(4, (num, 24), p=(0.1, 0.7, 0.1, 0.1))
    return (steps.cumsum(1) % 4)[..., None].astype(np.uint8)


def fields(num: int, seed: int, channels: int = 1) -> np.ndarray:
    """Lognormal fields with smooth structures, in other units than 1."""
    noise = np.random.default_rng(seed).standard_normal((num, 16, 16, channels))
    smooth = scipy.ndimage.gaussian_filter(noise, (0, 1.5, 1.5, 0), mode="wrap")
    return (1e3 * np.exp(2 * smooth / smooth.std())).astype(np.float32)


def compared(kind: str, generated: np.ndarray, real: np.ndarray, seed: int = 0) -> ItemComparison:
    return ItemComparison(kind, generated, real, real, LETTERS if kind == "sequence" else "", seed)


def examples(kind: str, seed: int, channels: int = 2) -> np.ndarray:
    return fields(60, seed, channels) if kind == "map" else sequences(60, seed)


@pytest.mark.parametrize(
    ("kind", "name"), [(kind, name) for kind in OF_KIND for name in OF_KIND[kind].names()]
)
class TestMeasure:
    def test_gives_the_figures_it_names_with_intervals(self, kind: str, name: str):
        entry, before = OF_KIND[kind].load(name), torch.get_rng_state()
        assert isinstance(entry.IS_DISTANCE, bool) and all(entry.NAMES.values())
        comparison = compared(kind, examples(kind, 1), examples(kind, 2))
        figures = entry.measure(comparison)
        assert [figure.name for figure in figures] == list(entry.NAMES)
        for figure in figures:
            assert figure.low <= figure.value <= figure.high and figure.low < figure.high, figure
        assert entry.measure(comparison) == figures, "the same again"
        assert torch.equal(torch.get_rng_state(), before)

    def test_a_distance_is_zero_for_the_same_items_and_grows(self, kind: str, name: str):
        entry = OF_KIND[kind].load(name)
        real = examples(kind, 2)
        other = sequences(60, 1, (0.1, 0.1, 0.1, 0.7)) if kind == "sequence" else real[..., ::-1].copy()
        if kind == "map":
            other[..., 0] = 10 * other[..., 1] + 50 * np.random.default_rng(0).random(other.shape[:-1])
        for figure, far in zip(
            entry.measure(compared(kind, real, real)), entry.measure(compared(kind, other, real)), strict=True
        ):
            if entry.IS_DISTANCE:
                assert figure.value == pytest.approx(0, abs=1e-12) and far.value > 0.01, figure.name

    def test_items_that_are_all_alike_give_numbers(self, kind: str, name: str):
        alike = examples(kind, 1)[:1].repeat(60, 0) * 0
        for figure in OF_KIND[kind].load(name).measure(compared(kind, alike, alike)):
            assert np.isfinite(figure.value)


class TestSequences:
    def test_words_are_those_of_the_text(self):
        made = sequences(5, 3)
        texts = ["".join(LETTERS[number] for number in row) for row in made[..., 0]]
        counts = Counter(text[at : at + 3] for text in texts for at in range(22))
        words = np.bincount(words_of(made, 3, 4).ravel(), minlength=64)
        for first in range(4):
            for second in range(4):
                for third in range(4):
                    word = LETTERS[first] + LETTERS[second] + LETTERS[third]
                    assert words[16 * first + 4 * second + third] == counts[word]

    def test_divergence_is_that_of_scipy(self):
        counts = np.random.default_rng(0).integers(0, 5, (2, 3, 40))
        expected = scipy.spatial.distance.jensenshannon(counts[0].T, counts[1].T, base=2) ** 2
        assert divergence(*counts) == pytest.approx(expected)
        assert float(divergence(np.array([3, 0]), np.array([0, 2]))) == 1

    def test_gc_distance_is_that_of_scipy(self):
        x, y = sequences(60, 1), sequences(70, 2, (0.1, 0.2, 0.3, 0.4))
        (figure,) = gc_distance(compared("sequence", x, y))
        expected = scipy.stats.wasserstein_distance(gc_of(x, LETTERS), gc_of(y, LETTERS))
        assert figure.value == pytest.approx(expected)
        proteins = ItemComparison("sequence", x, y, y, "ACDEFGHIKLMNPQRSTVWY")
        assert gc_distance(proteins) == []

    def test_distances_count_letters(self):
        x, y = sequences(4, 1), sequences(5, 2)
        marks = [torch.nn.functional.one_hot(torch.from_numpy(s[..., 0]).long(), 4).float() for s in (x, y)]
        expected = (x[:, None, :, 0] != y[None, :, :, 0]).sum(-1)
        assert np.array_equal(hamming(*marks).numpy(), expected)

    def test_copies_are_seen(self):
        entry, real = OF_KIND["sequence"].load("nearest-training"), sequences(100, 2)
        (copied,) = entry.measure(compared("sequence", real[:60], real))
        (other,) = entry.measure(compared("sequence", sequences(60, 9), real))
        assert copied.value == 1 and other.high < 0.4

    def test_words_of_proteins_stop_where_there_are_too_many(self):
        letters = "ACDEFGHIKLMNPQRSTVWY"
        made = np.random.default_rng(0).integers(0, 20, (60, 24, 1)).astype(np.uint8)
        figures = (
            OF_KIND["sequence"]
            .load("kmer-spectra")
            .measure(ItemComparison("sequence", made, made, made, letters))
        )
        assert [figure.name for figure in figures] == [f"kmer_{k}_divergence" for k in (1, 2, 3)]


def num_regions(mask: np.ndarray, structure: np.ndarray | None = None) -> int:
    labels: Any = np.empty(mask.shape, np.int32)
    return int(scipy.ndimage.label(mask, structure, labels))  # pyright: ignore[reportArgumentType]


class TestMaps:
    @pytest.mark.parametrize("seed", range(5))
    def test_functionals_are_those_of_labelled_regions(self, seed: int):
        noise = np.random.default_rng(seed).standard_normal((20, 20))
        made = scipy.ndimage.gaussian_filter(noise, 1)
        area, border, euler = functionals(made[None, ..., None], np.zeros(1))[0, 0] * made.size
        above = made > 0
        pieces = num_regions(above)
        # Holes: what is below, connected also at corners, and does not reach the outside.
        holes = num_regions(np.pad(~above, 1, constant_values=True), np.ones((3, 3))) - 1
        assert area == pytest.approx(above.sum()) and euler == pytest.approx(pieces - holes)
        steps = np.abs(np.diff(above.astype(int), axis=0)).sum() + np.abs(np.diff(above.astype(int))).sum()
        assert border == pytest.approx(steps)

    def test_functionals_of_a_square_and_a_ring(self):
        field = np.zeros((1, 12, 12, 1))
        field[0, 2:6, 3:8] = 1
        assert functionals(field, np.array([0.5]))[0, 0] * 144 == pytest.approx([20, 18, 1])
        field[0, 3:5, 4:7] = 0
        assert functionals(field, np.array([0.5]))[0, 0] * 144 == pytest.approx([14, 28, 0])

    def test_value_distance_is_that_of_scipy(self):
        x, y = fields(60, 1) * 1.2, fields(60, 2)
        (figure,) = value_distance(compared("map", x, y))
        expected = scipy.stats.wasserstein_distance(x.ravel(), y.ravel()) / y.std()
        assert figure.value == pytest.approx(expected, rel=0.02)

    def test_power_of_a_factor_is_its_square(self):
        entry, real = OF_KIND["map"].load("power-spectrum"), fields(60, 1)
        (figure,) = entry.measure(compared("map", 10 * real, real))
        assert figure.value == pytest.approx(2, abs=1e-5), "a factor of 10 is two powers of ten of power"

    def test_peaks_are_those_of_a_maximum_filter(self):
        made = fields(3, 1)[..., 0]
        ring = np.ones((3, 3), bool)
        ring[1, 1] = False
        for field, peaks in zip(made, are_peaks(made[..., None])[..., 0], strict=True):
            expected = field > scipy.ndimage.maximum_filter(field, footprint=ring)
            assert np.array_equal(peaks, expected[1:-1, 1:-1])

    def test_correlations_are_pearsons(self):
        values = np.random.default_rng(0).standard_normal((500, 3)) @ np.array(
            [[1, 2, 0], [0, 1, 1], [0, 0, 3]]
        )
        found = correlations(values.mean(0), values.T @ values / len(values))
        assert found == pytest.approx(np.corrcoef(values, rowvar=False))


class TestBaselines:
    @pytest.mark.parametrize("name", baselines.names())
    def test_gives_items_of_the_same_size_and_type_from_its_seed(self, name: str):
        entry = baselines.load(name)
        training = examples(entry.KIND, 1)
        made = entry.sample(training, 55, 7, LETTERS)
        assert made.shape == (55, *training.shape[1:]) and made.dtype == training.dtype and entry.WORDS
        assert np.array_equal(made, entry.sample(training, 55, 7, LETTERS))
        assert not np.array_equal(made, entry.sample(training, 55, 8, LETTERS))

    @pytest.mark.parametrize("name", ["markov-2", "markov-5", "period-3"])
    def test_a_chain_has_the_words_of_the_data(self, name: str):
        training = chained(4000, 1)
        made = baselines.load(name).sample(training, 2000, 0, LETTERS)
        pairs = [np.bincount(words_of(side, 2, 4).ravel(), minlength=16) for side in (made, training)]
        assert pairs[0] / pairs[0].sum() == pytest.approx(pairs[1] / pairs[1].sum(), abs=0.01)

    def test_the_model_by_position_has_the_letters_of_each_place(self):
        training = sequences(2000, 1)
        training[:, 5] = 2
        made = baselines.load("by-position").sample(training, 500, 0, LETTERS)
        assert (made[:, 5] == 2).all() and 0.3 < float((made[:, 6] == 0).mean()) < 0.5

    def test_a_period_is_known_to_the_chain_with_a_period_only(self):
        training = sequences(2000, 1, (0.25, 0.25, 0.25, 0.25))
        training[:, ::3] = 0
        shares = {
            name: float((baselines.load(name).sample(training, 500, 0, LETTERS)[:, 9::3] == 0).mean())
            for name in ("period-3", "markov-2")
        }
        assert shares["period-3"] > 0.99 and shares["markov-2"] < 0.9

    def test_order_falls_with_the_alphabet(self):
        assert (order_of(5, LETTERS), order_of(5, "ACDEFGHIKLMNPQRSTVWY")) == (5, 2)

    def test_a_gaussian_field_has_the_moments_and_the_spectrum_of_the_data(self):
        training = fields(600, 1, 2)
        training[..., 1] += training[..., 0]
        made = baselines.load("gaussian-field").sample(training, 600, 0)
        comparison = compared("map", made, training)
        figures = {
            figure.name: figure.value
            for name in OF_KIND["map"].names()
            for figure in OF_KIND["map"].load(name).measure(comparison)
        }
        assert figures["power_distance"] < 0.05 and figures["correlation_difference"] < 0.02
        assert figures["value_distance"] > 0.2, "and not its histogram"
        assert abs(float(scipy.stats.skew(made[..., 0].ravel()))) < 0.1
        assert made.mean() == pytest.approx(float(training.mean()), rel=0.05)
        whole = baselines.load("gaussian-field").sample((training / 100).astype(np.uint16), 60, 0)
        assert whole.dtype == np.uint16 and whole.max() < 10_000, "clipped at 0, not wrapped"


class TestBeside:
    def test_a_baseline_that_is_better_wins(self):
        training = chained(1000, 1)
        comparison = ItemComparison("sequence", sequences(200, 3), chained(200, 2), training, LETTERS)
        measurements = measure_items(comparison, ["kmer-spectra", "copied-sequences"])
        by_name = {entry.figure.name: entry for entry in measurements}
        won = {beside.name for beside in by_name["kmer_3_divergence"].baselines if beside.wins}
        assert {"markov-2", "markov-5"} <= won
        assert not any(beside.wins for beside in by_name["copied_sequences"].baselines)
        assert [beside.name for beside in measurements[0].baselines] == baselines_of("sequence")
        said = winners(measurements)
        assert any("markov-2 (Markov chain of order 2) is nearer to the data" in words for words in said)
        perfect = measure_items(comparison.of(comparison.real), ["kmer-spectra"])
        assert winners(perfect) == []
        shown = measurements[0].as_json()
        assert shown["features"] == "letters" and {"name", "value", "wins"} <= set(shown["baselines"][0])

    def test_names_of_other_kinds_are_refused(self):
        with pytest.raises(UsageError, match="kernel-distance is for images"):
            chosen_of("map", ["kernel-distance"])
        with pytest.raises(UsageError, match="unknown metric 'pekas' of maps") as refused:
            chosen_of("map", ["pekas"])
        assert "peaks" in refused.value.hint
        assert set(chosen_of("map", ["minkowski"])) == {
            "minkowski_area",
            "minkowski_border",
            "minkowski_euler",
        }

    def test_figures_have_one_home(self):
        named = [
            figure
            for catalogue in OF_KIND.values()
            for name in catalogue.names()
            for figure in catalogue.load(name).NAMES
        ]
        assert len({*named, *measures.figure_names()}) == len(named) + len(measures.figure_names())

    def test_too_few_are_refused(self):
        with pytest.raises(UsageError, match="needs 50 sequences on each side"):
            compared("sequence", sequences(49, 1), sequences(60, 2))
