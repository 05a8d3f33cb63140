"""The slopes against sympy in many digits, the ends of the slope against every number of a format."""

import math

import pytest
import sympy
import torch
from torch import nn

from ganzfeld.errors import UsageError
from ganzfeld.lab import Measured, Training, live, verdict_of
from ganzfeld.lab.experiments.bounded_output import SHORT, Settings, theory, toy
from ganzfeld.lab.experiments.bounded_output import live as in_situ
from ganzfeld.lab.outcome import by_key
from ganzfeld.lab.perform import perform
from ganzfeld.networks import Generator
from ganzfeld.networks.outputs import clip, tanh
from tests.lab.verdicts import verdicts

pytestmark = pytest.mark.machine

SETTINGS = Settings(**SHORT)


def bench(**settings) -> dict[str, Measured]:
    figures, _ = toy.bench(SETTINGS.model_copy(update=settings), 1, False)
    return by_key(figures)


@pytest.mark.parametrize("at", [-30, -3.47, -0.1, 0, 0.5, 4.51, 9.01, 40])
def test_the_slope_is_the_derivative(at: float):
    a = sympy.Symbol("a")
    exact = sympy.tanh(a).diff(a).subs(a, sympy.Rational(str(at))).evalf(80)
    assert theory.tanh_slope(at) == pytest.approx(float(exact), rel=1e-13)
    assert theory.log_tanh_slope(at) == pytest.approx(float(sympy.log(exact)), abs=1e-12)


def test_in_real_numbers_it_never_ends():
    for at in (1e2, 1e3, 1e100, 1e307):
        assert math.isfinite(theory.log_tanh_slope(at))
    assert sympy.N(1 - sympy.tanh(1000) ** 2, 30) > 0


@pytest.mark.parametrize(("name", "end"), [("float32", 9.01), ("float16", 4.51), ("bfloat16", 3.47)])
def test_where_rounding_ends_it(name: str, end: float):
    precision = theory.PRECISIONS[name]
    measured = toy.first_without_slope(precision)
    assert round(measured, 2) == end
    assert theory.end_of_slope(precision) == pytest.approx(measured, abs=0.01)
    assert round(theory.end_of_slope(precision), 2) == pytest.approx(end, abs=0.011)
    last = torch.nextafter(torch.tensor(1.0, dtype=precision), torch.tensor(0.0, dtype=precision))
    assert torch.tensor(math.tanh(measured + 0.02), dtype=precision) == 1, "rounds to 1 from there on"
    assert torch.tensor(math.tanh(measured - 0.02), dtype=precision) == last, "and not before"


def test_verdict():
    figures = list(bench().values())
    assert verdict_of(figures) == "holds with limits"
    assert all(figure.agrees for figure in figures if figure.role == "shown")


@pytest.mark.parametrize(
    ("name", "planted"),
    [
        ("tanh_slope", lambda a: 1 + math.tanh(a) ** 2),
        ("clip_slope", lambda a: float(abs(a) > 1)),
    ],
)
def test_a_wrong_formula_turns_the_verdict(monkeypatch: pytest.MonkeyPatch, name: str, planted):
    monkeypatch.setattr(theory, name, planted)
    assert verdict_of(list(bench().values())) == "fails"


def test_a_tanh_that_saturates_turns_the_verdict(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(tanh, "output", nn.Hardtanh)
    monkeypatch.setattr(toy, "first_without_slope", lambda precision: 1.0)
    assert verdict_of(list(bench().values())) == "fails"


def test_a_clip_with_a_leak_turns_the_verdict(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(clip, "output", nn.Softsign)
    assert verdict_of(list(bench().values())) == "fails"


def test_the_package_keeps_its_output_in_float32():
    """Under autocast to bfloat16 the pixels beyond 3.47 keep their gradient."""
    from ganzfeld.geometry import plan

    generator = Generator(plan(8), width=4, latent_size=4, normalisation="none")
    last = generator.layers[-1]
    assert isinstance(last, nn.ConvTranspose2d) and last.bias is not None
    last.bias.data[:] = 6.0
    with torch.autocast("cpu", torch.bfloat16):
        images = generator(torch.zeros(1, 4))
    (gradient,) = torch.autograd.grad(images.sum(), last.bias)
    assert images.dtype == torch.float32
    assert float(gradient.abs().min()) > 0


def test_in_situ_counts_what_has_no_gradient(monkeypatch: pytest.MonkeyPatch, short_training: Training):
    given = torch.full((16, 3, 4, 4), 4.0)  # dead in bfloat16, alive in float16
    given[:, 0] = 9.5  # dead in all
    monkeypatch.setattr(in_situ, "before_output", lambda *args: given)
    figures, _ = in_situ.in_situ(live(short_training), SETTINGS, 0)
    found = by_key(figures)
    assert found["tanh-dead-float32"].value == pytest.approx(1 / 3)
    assert found["tanh-dead-float16"].value == pytest.approx(1 / 3)
    assert found["tanh-dead-bfloat16"].value == 1
    assert found["clip-dead"].value == 1


def test_colours_are_compared():
    dark, bright = torch.full((32, 3, 4, 4), -0.5), torch.full((32, 3, 4, 4), 0.5)
    counts = [in_situ.histograms(images) for images in (dark, bright)]
    assert counts[0].shape == (16, 3, 256)
    assert float(in_situ.colour_distance(*counts)) == pytest.approx(1, abs=0.01)
    assert float(in_situ.colour_distance(counts[0], counts[0])) == 0
    board = torch.tensor([[1.0, -1.0] * 4, [-1.0, 1.0] * 4] * 4)[None, None]
    assert float(in_situ.roughness(board)) == 4
    assert float(in_situ.roughness(dark).max()) == 0


@pytest.mark.parametrize(("field", "value"), [("reach", 0.5), ("reach", 40), ("rate", 0), ("target", 1.5)])
def test_what_means_nothing_is_refused(field: str, value: float, short_training: Training):
    with pytest.raises(UsageError, match=field):
        perform("bounded-output", {field: value}, on=short_training)


class TestCorrection:
    def test_takes_the_time_of_the_closed_form(self):
        """From 5 it is about e^10 / 8, for any target, and the formula grows by e^2 per unit."""
        assert theory.time_to_correct(5.0, 0.0) == pytest.approx(math.exp(10) / 8, rel=0.01)
        assert theory.time_to_correct(6.0, 0.5) == pytest.approx(math.exp(12) / 4, rel=0.01)
        for target in (-0.9, 0.0, 0.7):
            figures = by_key(toy._times(target))
            assert all(figure.agrees and figure.value > 1 for figure in figures.values())

    def test_of_one_that_is_near_already_takes_none(self):
        assert all(figure.value == figure.expected == 0 for figure in toy._times(0.9))

    def test_another_time_turns_the_verdict(self, monkeypatch: pytest.MonkeyPatch):
        right = theory.time_to_correct
        monkeypatch.setattr(theory, "time_to_correct", lambda *given: 1.2 * right(*given))
        assert verdicts(list(bench().values()))["corrected"] == "fails"

    def test_ends_where_rounding_ends_the_slope(self):
        """Pixels up to 12 are pulled as far as 9.01; a tanh that pulled them all would have no limit."""
        pulled = bench(pixels=1_001)["pulled-tanh"]
        assert pulled.departs and pulled.value == pytest.approx((9.01 - 1.05) / (12 - 1.05), abs=0.01)
