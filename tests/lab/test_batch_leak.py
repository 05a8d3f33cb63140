"""Derivatives between images against finite differences, drift and probe against independent algebra."""

from itertools import permutations, product

import numpy as np
import pytest
import sympy
import torch
from torch import nn

from ganzfeld.errors import UsageError
from ganzfeld.lab import Measured, Training, live, run, verdict_of
from ganzfeld.lab.estimate import Estimate
from ganzfeld.lab.experiments.batch_leak import BATCHINGS, NORMS, SHORT, Settings, taught, theory, toy
from ganzfeld.lab.experiments.batch_leak import live as in_situ
from ganzfeld.lab.outcome import by_key
from ganzfeld.networks.normalisations import batch, layer
from tests.lab.verdicts import verdicts

pytestmark = pytest.mark.machine

SETTINGS = Settings(**SHORT)


def bench(**settings) -> dict[str, Measured]:
    figures, _ = toy.bench(SETTINGS.model_copy(update=settings), 1, False)
    return by_key(figures)


def test_the_derivative_across_a_batch_norm_is_that_of_sympy():
    values = sympy.symbols("x0:4", real=True)
    eps = sympy.Rational(1, 100_000)
    mean = sum(values) / 4
    scale = sympy.sqrt(sum((x - mean) ** 2 for x in values) / 4 + eps)
    outputs = [(x - mean) / scale for x in values]
    at = dict(zip(values, map(sympy.Rational, ("0.3", "-1.2", "2", "0.7")), strict=True))
    expected = [[float(y.diff(x).subs(at).evalf(20)) for x in values] for y in outputs]
    normalised = torch.tensor([float(y.subs(at).evalf(20)) for y in outputs], dtype=torch.float64)
    ours = theory.cross_gradient(normalised, torch.tensor(float(scale.subs(at).evalf(20))).double())
    assert np.allclose(ours, expected, atol=1e-7)


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_the_drift_is_that_of_the_moments_of_a_mixture(share: float):
    """Var = E[x^2] - E[x]^2 of the two populations together."""
    distance = 1.7
    mean = -share * distance
    second = (1 - share) * 1 + share * (1 + distance**2)
    expected = (0.5 - mean) / (second - mean**2) ** 0.5
    assert theory.normalised_value(0.5, share, distance) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("size", [2, 16])
def test_the_probe_explains_what_the_variances_say(size: int):
    shares = [sympy.Rational(k, size) for k in range(size + 1)]
    mean = sum(shares) / (size + 1)
    variance = sum((share - mean) ** 2 for share in shares) / (size + 1)
    distance = sympy.Rational(3, 2)
    expected = distance**2 * variance / (distance**2 * variance + sympy.Rational(1, size))
    assert theory.probe_r2(size, 1.5) == pytest.approx(float(expected), rel=1e-12)


def test_a_probe_of_nothing_explains_nothing():
    noise = torch.Generator().manual_seed(0)
    r2, error, _ = toy.probed(torch.randn(2_000, 3, generator=noise), torch.rand(2_000, generator=noise))
    assert abs(r2) < 4 * error
    shares = torch.rand(2_000, generator=noise)
    assert toy.probed(shares[:, None], shares)[0] == pytest.approx(1, abs=1e-5)


def test_nobody_can_tell_more_of_single_images():
    """Classify every kind of image as the side that makes it more often (Bayes)."""
    real, fake = {"bright": 0.5, "dark": 0.5}, {"bright": 0.8, "dark": 0.2}
    assert sum(max(real[kind], fake[kind]) for kind in real) / 2 == theory.BEST
    noise = torch.Generator().manual_seed(0)
    for is_fake, share in ((False, 0.5), (True, 0.8)):
        images, bright = taught.bright_and_dark(torch.full((4_000,), is_fake), noise)
        assert torch.equal(images.mean((1, 2, 3)) > 0, bright)
        assert float(bright.double().mean()) == pytest.approx(share, abs=0.03)


@pytest.mark.parametrize("batching", BATCHINGS)
def test_the_most_that_a_batch_allows_is_the_sum_over_every_batch(batching: str):
    """List every order of kinds and of brightness in batches of 2 and 4, and classify the first image."""
    batch, joint = 2, {}
    for probability, fakes, reals in theory.compositions(batching, batch):
        orders = set(permutations("f" * fakes + "r" * reals))
        for kinds in orders:
            for bright in product((True, False), repeat=fakes + reals):
                chance = probability / len(orders)
                for kind, is_bright in zip(kinds, bright, strict=True):
                    share = 0.8 if kind == "f" else 0.5
                    chance *= share if is_bright else 1 - share
                seen = joint.setdefault(bright, {"f": 0.0, "r": 0.0})
                seen[kinds[0]] += chance
    expected = sum(max(seen.values()) for seen in joint.values())
    assert theory.best_in_batches(batching, batch) == pytest.approx(expected, abs=1e-12)


def test_every_batching_shows_as_many_images():
    noise = torch.Generator().manual_seed(0)
    for batching in BATCHINGS:
        numbers = {int(torch.cat(taught.batches(batching, 4, noise)).sum()) for _ in range(200)}
        assert all(torch.cat(taught.batches(batching, 4, noise)).numel() == 8 for _ in range(3))
        assert numbers == (set(range(9)) if batching == "random" else {4})


def test_verdict():
    found = verdicts(bench(steps=1).values())
    assert {found[key] for key in ("depends", "others", "signal")} == {"holds"}


@pytest.mark.parametrize(
    ("even", "verdict"),
    [
        (Estimate(0.649, 0.001, 4), "fails"),
        (Estimate(0.75, 0.001, 4), "holds"),
        (Estimate(0.67, 0.01, 4), "not decided"),
    ],
)
def test_cheating_in_mixed_batches_can_be_lost_and_won(even: Estimate, verdict: str):
    cells = {(batching, norm): Estimate(0.65, 0.001, 4) for batching in BATCHINGS for norm in NORMS}
    cells["even", "batch"] = even
    cells["random", "batch"] = Estimate(0.69, 0.002, 4)
    limits = {batching: theory.best_in_batches(batching, 16) for batching in BATCHINGS}
    found = verdicts(toy._taught(cells, limits))
    assert found == {"cheats": verdict, "composition": "holds"}


CHEATS = Settings(steps=200, replicas=3)


def test_batch_norm_uses_what_a_batch_tells_and_no_more():
    """Teach and test in the same batches: it stays at the limit of single images in mixed 1:1 ones."""
    shares = {
        batching: [taught.taught(batching, "batch", CHEATS, 1, number) for number in range(3)]
        for batching in ("even", "separate")
    }
    assert all(abs(share - theory.BEST) < 0.015 for share in shares["even"])
    assert all(share > 0.8 for share in shares["separate"])
    assert max(shares["separate"]) < theory.best_in_batches("separate", 16) + 0.02


@pytest.mark.parametrize(
    ("name", "of", "planted"),
    [
        (
            "cross_gradient",
            "depends",
            lambda y, s: (torch.eye(len(y)) + (1 + torch.outer(y, y)) / len(y)) / s,
        ),
        ("normalised_value", "depends", lambda value, share, distance: value - share * distance),
        ("probe_r2", "signal", lambda batch, distance: 0.0),
    ],
)
def test_a_wrong_formula_turns_the_verdict(monkeypatch: pytest.MonkeyPatch, name: str, of: str, planted):
    monkeypatch.setattr(theory, name, planted)
    assert verdicts(bench(steps=1).values())[of] == "fails"


def test_a_layer_norm_that_leaks_turns_the_verdict(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(layer, "normalise", batch.normalise)
    assert verdicts(bench(steps=1).values())["others"] == "fails"


def test_a_batch_norm_that_leaks_nothing_turns_the_verdict(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(batch, "normalise", lambda layer, channels, dims: [layer, nn.GroupNorm(1, channels)])
    assert verdicts(bench(steps=1).values())["depends"] == "fails"


class TestInSitu:
    def test_leaks_with_batch_norm_alone(self, short_training: Training):
        figures, data = in_situ.in_situ(live(short_training), SETTINGS, 0)
        assert verdict_of(figures) == "holds"
        found = by_key(figures)
        assert found["others-over-own-batch-norm"].value > 1e-3
        assert found["probe-batch-norm"].value > 0.5
        assert set(data["curves"]) == {"as it trains", "with batch norm"}

    def test_a_leak_where_there_should_be_none_turns_the_verdict(
        self, monkeypatch: pytest.MonkeyPatch, short_training: Training
    ):
        leaky = live(short_training).variant({"discriminator.normalisation": "batch"})
        monkeypatch.setattr(in_situ, "_across", lambda live: False)
        figures, _ = in_situ.in_situ(leaky, SETTINGS, 0)
        assert verdict_of(figures) == "fails"


@pytest.mark.parametrize("size", [1, 0, -2])
def test_a_batch_of_one_is_refused(size: int, short_training: Training):
    with pytest.raises(UsageError, match=f"batch is from 2 to 256, not {size}"):
        run("batch-leak", batch=size, on=short_training)
