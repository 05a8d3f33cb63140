"""The slopes against integrals, and the verdict against what is planted."""

import math
from typing import Any

import mpmath
import pytest
import sympy
import torch
from torch import nn

from ganzfeld.errors import UsageError
from ganzfeld.lab import Measured, Training, live, run
from ganzfeld.lab.experiments.leaky_slope import SHORT, Settings, theory, toy
from ganzfeld.lab.experiments.leaky_slope import live as in_situ
from ganzfeld.lab.outcome import by_key
from ganzfeld.networks.activations import leaky_relu
from tests.lab.verdicts import verdicts

SETTINGS = Settings(**SHORT)
SHALLOW = {"networks": 2, "width": 8, "depth": 2}
"""For what the random networks do not matter."""


def bench(**settings) -> dict[str, Measured]:
    figures, _ = toy.bench(SETTINGS.model_copy(update=settings), 1, False)
    return by_key(figures)


@pytest.mark.parametrize(("alpha", "mean", "std"), [(0, 0, 1), (0.2, 0, 3), (0.2, 0.5, 2), (0.7, -1, 0.5)])
def test_closed_forms_are_the_integrals(alpha: float, mean: float, std: float):
    def integral(*places: float) -> float:
        value: Any = mpmath.quad(lambda a: mpmath.npdf(a, mean, std), places)
        return float(value)

    above, below = integral(0, 1, 5, math.inf), integral(-math.inf, -5, -1, 0)
    assert theory.mean_slope(alpha, mean, std) == pytest.approx(above + alpha * below, abs=1e-12)
    assert theory.rms_slope(alpha, mean, std) ** 2 == pytest.approx(above + alpha**2 * below, abs=1e-12)


@pytest.mark.parametrize("alpha", [0, 0.2, 1])
def test_the_gain_behind_a_batch_norm_is_the_integral(alpha: float):
    a, slope = sympy.Symbol("a", real=True), sympy.Rational(str(alpha))
    density = sympy.exp(-(a**2) / 2) / sympy.sqrt(2 * sympy.pi)
    first = sum(
        k * sympy.integrate(a * density, (a, *ends))
        for k, ends in ((1, (0, sympy.oo)), (slope, (-sympy.oo, 0)))
    )
    second = (1 + slope**2) / 2
    expected = sympy.sqrt(((1 + slope**2) / 2) / (second - first**2))
    assert theory.normalised_gain(alpha) == pytest.approx(float(expected), abs=1e-12)


@pytest.fixture(scope="module")
def figures() -> dict[str, Measured]:
    return bench()


def test_verdict(figures: dict[str, Measured]):
    found = verdicts(figures.values())
    assert found == {"leak": "holds", "mean-slope": "holds", "depth": "fails", "further": "fails"}


def test_behind_batch_norms_gradients_grow_and_behind_layer_norms_they_stay(figures: dict[str, Measured]):
    """Hold the gain per layer against its formula: 1.211 and 1.115 in wide layers, and exactly 1."""
    relu, leaky = (figures[f"per-layer-batch-{name}"] for name in ("relu", "leaky-relu"))
    assert 1.1 < relu.value < 1.25 and 1.03 < leaky.value < 1.15 and leaky.value < relu.value
    assert relu.departs and leaky.departs, "they are not 0.5 and 0.6"
    wide = bench(width=512, networks=2, depth=4)
    assert wide["per-layer-batch-relu"].value == pytest.approx(theory.normalised_gain(0), rel=0.03)
    assert wide["per-layer-batch-leaky-relu"].value == pytest.approx(theory.normalised_gain(0.2), rel=0.03)
    for name in ("relu", "leaky-relu"):
        assert wide[f"per-layer-layer-{name}"].value == pytest.approx(1.0, abs=0.03)
    assert wide["gain-layer"].value == pytest.approx(1.0, abs=0.01)


def test_gradients_that_fade_as_claimed_turn_the_verdict():
    """Plant what the text says: mean squares of the gradient that fall by 0.25 and 0.36 per layer."""
    noise = torch.rand(6, 1, 1, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    layers = torch.arange(20, -1, -1, dtype=torch.float64)
    rates = torch.tensor([0.25, 0.36], dtype=torch.float64)[:, None]
    planted = toy._through("batch", (1 + 1e-9 * noise) * rates**layers, Settings(depth=20))
    assert verdicts(planted) == {"depth": "holds", "further": "holds"}


def test_quoted_figures(figures: dict[str, Measured]):
    assert theory.mean_slope(0) == 0.5
    assert theory.mean_slope(0.2) == pytest.approx(0.6)
    assert round(theory.rms_slope(0.2) / theory.rms_slope(0), 4) == 1.0198
    assert theory.normalised_gain(0) == pytest.approx(math.sqrt(math.pi / (math.pi - 1)))
    ratio = figures["rms-ratio"]
    assert abs(ratio.value - 1.0198) < 3 * ratio.error + 1e-4
    assert not ratio.agrees, "it is not 1.2"
    assert all(figure.agrees for figure in figures.values() if figure.role == "shown")


def test_through_random_layers_gradients_go_with_root_mean_squares(figures: dict[str, Measured]):
    without = figures["gain-none"]
    assert abs(without.value - 1.0198) < 3 * without.error
    turned = figures["gradient-batch"]
    assert turned.value > 1.6


@pytest.mark.parametrize(
    ("name", "planted"),
    [
        ("mean_slope", lambda alpha, mean=0.0, std=1.0: 0.5 * (1 - alpha)),
        ("share_above", lambda mean, std: 0.45),
    ],
)
def test_a_wrong_formula_turns_the_verdict(monkeypatch: pytest.MonkeyPatch, name: str, planted):
    monkeypatch.setattr(theory, name, planted)
    assert verdicts(bench(**SHALLOW).values())["mean-slope"] == "fails"


def test_a_wrong_activation_turns_the_verdict(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(leaky_relu, "activation", lambda slope: nn.LeakyReLU(-slope))
    found = verdicts(bench(**SHALLOW).values())
    assert found["leak"] == found["mean-slope"] == "fails"


def test_a_unit_that_dies_in_spite_of_its_leak_turns_the_verdict(
    monkeypatch: pytest.MonkeyPatch, short_training: Training
):
    networks = live(short_training)
    figures, _ = in_situ.in_situ(networks, SETTINGS, 0)
    assert verdicts(figures)["leak"] == "holds"
    monkeypatch.setattr(in_situ, "never_positive", lambda *given: (0.5, 0.1, 0.1))
    figures, _ = in_situ.in_situ(networks, SETTINGS, 0)
    assert verdicts(figures)["leak"] == "fails"


def test_dead_units_are_counted(short_training: Training):
    """Make a unit dead by a bias far below 0, and find it."""
    networks = live(short_training)
    trainer = networks.trainer()
    before, _, _ = in_situ.never_positive(networks, "discriminator", 64, networks.stages[-1])
    first = trainer.gan.discriminator.layers[0]
    nn.init.constant_(first.get_parameter("bias"), -1e3)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(networks), "trainer", lambda self, stage=None: trainer)
        share, channels, without = in_situ.never_positive(networks, "discriminator", 64, networks.stages[-1])
    assert before < 0.5 < share
    assert channels >= 8 / 24, "all eight of the first layer"
    assert without == 0, "the leak is 0.2"


def test_a_unit_that_learns_from_generated_images_is_not_dead(
    monkeypatch: pytest.MonkeyPatch, short_training: Training
):
    """Make all units silent on real images, and one in four of them positive on a generated one."""
    networks = live(short_training)

    def maps(live, side: str, num: int, *, stage: int, generated: bool = False) -> list[torch.Tensor]:
        values = -torch.ones(num, 4, 2, 2)
        if generated:
            values[-1, 0] = 1.0
        return [values]

    monkeypatch.setattr(in_situ, "live_maps", maps)
    share, channels, _ = in_situ.never_positive(networks, "discriminator", 8, networks.stages[-1])
    assert (share, channels) == (0.75, 0.75)
    share, channels, _ = in_situ.never_positive(networks, "generator", 8, networks.stages[-1])
    assert (share, channels) == (1.0, 1.0), "a generator gets latents alone"


@pytest.mark.parametrize("alpha", [-0.1, 1.1, float("nan")])
def test_a_slope_out_of_range_is_refused(alpha: float, short_training: Training):
    with pytest.raises(UsageError, match="alpha"):
        run("leaky-slope", alpha=alpha, on=short_training)


def test_one_sign_alone_is_refused(short_training: Training):
    with pytest.raises(UsageError, match="same sign"):
        run("leaky-slope", mean=-3.0, on=short_training)


def test_without_a_leak_both_are_one(short_training: Training):
    """LeakyReLU at alpha = 0 is ReLU: the ratios are 1, and neither carries a gradient further."""
    figures = bench(alpha=0.0, **SHALLOW)
    assert all(figure.agrees for key, figure in figures.items() if key.startswith("gain-"))
    found = verdicts(figures.values())
    assert (found["leak"], found["mean-slope"], found["further"]) == ("holds", "holds", "not decided")
