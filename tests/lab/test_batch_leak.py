"""Derivatives between images against finite differences, drift and probe against independent algebra."""

import numpy as np
import pytest
import sympy
import torch
from torch import nn

from ganzfeld.errors import UsageError
from ganzfeld.lab import Measured, Training, live, run, verdict_of
from ganzfeld.lab.experiments.batch_leak import SHORT, Settings, theory, toy
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
        images = toy.proportion(4_000, is_fake, noise)
        assert float((images.mean((1, 2, 3)) > 0).double().mean()) == pytest.approx(share, abs=0.03)


def test_verdict():
    found = verdicts(bench(steps=200, batch=16).values())
    assert {found[key] for key in ("depends", "others", "signal")} == {"holds"}


def test_taught_in_separate_batches_it_tells_more_than_single_images_allow():
    figures = bench(steps=200, batch=16)
    apart = figures["separate-batch"]
    mixed = figures["mixed-batch"]
    alone = figures["separate-none"]
    assert apart.value - 3 * apart.error > theory.BEST
    assert alone.value < theory.BEST + 3 * alone.error
    assert mixed.value < alone.value


@pytest.mark.parametrize(
    ("name", "planted"),
    [
        ("cross_gradient", lambda y, s: (torch.eye(len(y)) + (1 + torch.outer(y, y)) / len(y)) / s),
        ("normalised_value", lambda value, share, distance: value - share * distance),
        ("probe_r2", lambda batch, distance: 0.0),
    ],
)
def test_a_wrong_formula_turns_the_verdict(monkeypatch: pytest.MonkeyPatch, name: str, planted):
    monkeypatch.setattr(theory, name, planted)
    assert verdict_of(list(bench(steps=1).values())) == "fails"


def test_a_layer_norm_that_leaks_turns_the_verdict(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(layer, "normalise", batch.normalise)
    assert verdict_of(list(bench(steps=1).values())) == "fails"


def test_a_batch_norm_that_leaks_nothing_turns_the_verdict(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(batch, "normalise", lambda layer, channels, dims: [layer, nn.GroupNorm(1, channels)])
    assert verdict_of(list(bench(steps=1).values())) == "fails"


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
