"""Upsampling: what the closed forms say is what torch does, and a wrong one turns the verdict."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ganzfeld.errors import UsageError
from ganzfeld.lab import experiments, run
from ganzfeld.lab.experiments.upsampling import theory, toy, untrained
from ganzfeld.lab.experiments.upsampling.upsamplers import LowPass, checkerboard, covered, kinds, power_at
from ganzfeld.lab.outcome import by_key, verdict_of
from ganzfeld.lab.perform import settings_of
from tests.lab.verdicts import verdicts

FEW = {"networks": 2}


def bench(**settings):
    chosen = settings_of("upsampling", FEW | settings)
    figures, _ = toy.bench(chosen, 0, False)
    return figures


def value(figures, key: str) -> float:
    return by_key(figures)[key].value


def test_the_figures_of_the_text():
    figures = bench()
    assert value(figures, "size-last") == 64
    fields = [value(figures, f"field-{depth}") for depth in range(5)]
    assert fields == [1, 4, 10, 22, 46]
    assert value(figures, "evenness") == 1
    assert value(figures, "evenness-k3-s2") == 2
    assert value(figures, "border-p1") == 0.5
    assert value(figures, "border-p2") == 1
    assert value(figures, "field-over-picture") == 46 / 64
    assert verdicts(figures) == {
        **dict.fromkeys(("size", "doubles", "adjoint", "overlap", "grow"), "holds"),
        **dict.fromkeys(("checkerboard", "coherence"), "fails"),
    }


def test_what_the_text_says_of_checkerboards_turns_the_verdict(monkeypatch):
    """Plant the opposite: even overlap for every kernel, no pattern, and fields as wide as the image."""
    monkeypatch.setattr(toy, "_evenness", lambda counts: 1.0)
    monkeypatch.setattr(untrained, "checkerboard", lambda images, stride: float(images.mean()) * 1e-3)
    found = verdicts(figure for figure in bench(layers=6, padding=2) if "border" not in figure.key)
    assert found["checkerboard"] in ("holds", "holds with limits")
    assert verdicts(bench(size=1, layers=2))["coherence"] == "holds"


@given(st.integers(1, 9), st.integers(1, 7), st.integers(1, 4), st.integers(0, 3))
def test_coverage_is_counted_by_torch(size, kernel, stride, padding):
    if stride * (size - 1) + kernel - 2 * padding < 1:
        return
    counted = covered(size, kernel, stride, padding)
    assert counted.tolist() == theory.coverage(size, kernel, stride, padding)


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("transposed_size", lambda size, k, s, p: s * size + k - 2 * p),
        ("projective_field", lambda layers: 1 + sum(kernel - 1 for kernel, _ in layers)),
        ("coverage", lambda size, k, s, p: [k // s] * (s * (size - 1) + k - 2 * p)),
    ],
)
def test_a_wrong_formula_turns_the_verdict(monkeypatch, name, wrong):
    monkeypatch.setattr(theory, name, wrong)
    assert verdict_of(bench()) == "fails"


def test_overlap_that_is_uneven_refutes_the_claim():
    """Test the claim on k=3, s=2, which has k > s and prints a checkerboard: it fails."""
    assert verdict_of(bench(kernel=3)) == "fails"


def test_another_convolution_is_no_adjoint(monkeypatch):
    flipped = torch.nn.functional.conv_transpose2d
    monkeypatch.setattr(
        toy.functional,
        "conv_transpose2d",
        lambda y, weight, *form, **more: flipped(y, weight.flip(2, 3), *form, **more),
    )
    figures = bench()
    assert value(figures, "adjoint") > 0
    assert verdict_of(figures) == "fails"


def test_a_live_generator_that_reaches_otherwise_is_seen(monkeypatch, short_training):
    short = experiments.load("upsampling").SHORT
    assert verdicts(run("upsampling", on=short_training, **short).figures)["grow"] == "holds"
    right = theory.reach
    monkeypatch.setattr(
        theory, "reach", lambda cell, layers: right(cell, [(k + 2, s, p, n) for k, s, p, n in layers])
    )
    assert verdicts(run("upsampling", on=short_training, **short).figures)["grow"] == "fails"


class TestCheckerboard:
    def test_of_noise_is_nothing_and_of_a_pattern_is_its_power(self):
        noise = torch.randn(64, 3, 32, 32, generator=torch.Generator().manual_seed(0))
        assert abs(checkerboard(noise, 2)) < 0.1
        board = torch.arange(32) % 2 * 2.0 - 1
        printed = noise + 3 * (board[:, None] + board)
        # Through a Hann window of 32 px a wave of amplitude 3 has 2 * (3 * 16)^2 / (32 * 3/8 + ...) of power.
        assert checkerboard(printed, 2) == pytest.approx(math.log10(1 + 9 * 16**2 / (32 * 3 / 8)), abs=0.1)

    def test_a_mean_over_one_stride_is_zero_at_its_harmonics(self):
        noise = torch.randn(16, 3, 36, 36, dtype=torch.double, generator=torch.Generator().manual_seed(0))
        for stride in (2, 3, 4):
            frequencies = [m / stride for m in range(1, stride // 2 + 1)]
            left = power_at(LowPass(stride)(noise), frequencies) / power_at(noise, frequencies)
            assert left.max() < 0.01, "what is left comes from the border"

    @pytest.mark.parametrize(("kernel", "stride"), [(4, 2), (3, 2), (1, 2), (5, 3), (4, 4)])
    def test_all_kinds_multiply_the_size_by_the_stride(self, kernel, stride):
        for kind in kinds(kernel, stride):
            assert kind.make(3, 5)(torch.randn(2, 3, 6, 6)).shape == (2, 5, 6 * stride, 6 * stride)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"kernel": 0}, "kernel cannot be 0"),
        ({"stride": 0}, "stride cannot be 0"),
        ({"padding": -1}, "padding cannot be -1"),
        ({"padding": 4}, "padding must be below the kernel, 4, not 4"),
        ({"kernel": 2, "size": 1, "padding": 1}, "removes all of the output"),
        ({"kernel": "x"}, "kernel cannot be 'x'"),
        ({"kernels": 3}, "Did you mean kernel"),
    ],
)
def test_what_means_nothing_is_refused(settings, says):
    with pytest.raises(UsageError) as caught:
        settings_of("upsampling", settings)
    assert says in f"{caught.value.message} {caught.value.hint}"
