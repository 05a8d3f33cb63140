"""Soft labels: the optimum against exact algebra, and verdicts that turn when the opposite is planted."""

import math
from functools import cache
from typing import Any

import pytest
import torch
from torch.optim import SGD, Adam

from ganzfeld.errors import UsageError
from ganzfeld.lab import run, verdict_of, write_outcome
from ganzfeld.lab.experiments.soft_labels import SHORT as SHORT_SETTINGS
from ganzfeld.lab.experiments.soft_labels import Settings, logit_gradients, temperature, theory, toy
from ganzfeld.lab.outcome import by_key
from ganzfeld.lab.perform import perform
from ganzfeld.losses import _cross_entropy, non_saturating
from tests.lab.verdicts import verdicts

sympy: Any = pytest.importorskip("sympy")

SHORT = Settings.model_validate(SHORT_SETTINGS)


@pytest.mark.parametrize("sides", [1, 2])
def test_the_best_discriminator_is_that_of_exact_algebra(sides: int):
    p, q, d, alpha, r = sympy.symbols("p q d alpha r", positive=True)
    real, fake = 1 - alpha, alpha if sides == 2 else 0

    def cost(target):
        return -target * sympy.log(d) - (1 - target) * sympy.log(1 - d)

    (best,) = sympy.solve(sympy.diff(p * cost(real) + q * cost(fake), d), d)
    ratio = sympy.simplify(best.subs(p, r * q))
    slope = sympy.diff(sympy.log(ratio / (1 - ratio)), r) * r
    for log_r in (-9.0, -2.0, 0.0, 1.5, 7.0):
        at = torch.tensor([log_r], dtype=torch.float64)
        values = {alpha: 0.1, r: sympy.exp(sympy.Rational(log_r))}
        exact = float(ratio.subs(values).evalf(30))
        assert float(theory.best_probability(at, 0.1, sides)) == pytest.approx(exact, abs=1e-12)
        assert float(torch.sigmoid(theory.best_logit(at, 0.1, sides))) == pytest.approx(exact, abs=1e-12)
        exact = float(slope.subs(values).evalf(30))
        assert float(theory.slope_in_ratio(at, 0.1, sides)) == pytest.approx(exact, rel=1e-9)


def test_smoothing_both_sides_is_a_straight_line_in_the_hard_optimum():
    log_ratio = torch.linspace(-8, 8, 33, dtype=torch.float64)
    hard = theory.best_probability(log_ratio, 0.0, 1)
    torch.testing.assert_close(theory.best_probability(log_ratio, 0.1, 2), 0.1 + 0.8 * hard)
    assert torch.all(theory.best_probability(log_ratio, 0.1, 2).diff() > 0), "still monotone"


def test_the_pull_is_the_mean_over_points():
    """Quadrature against Monte Carlo, within four standard errors."""
    shift = torch.tensor([1.5], dtype=torch.float64)
    points = 1.5 + torch.randn(400_000, dtype=torch.float64)
    at = (shift**2 / 2 - shift * points).requires_grad_()
    logit = theory.best_logit(at, 0.1, 2)
    (slope,) = torch.autograd.grad(logit.sum(), at)
    sent = (1 - torch.sigmoid(logit.detach())) * slope * shift
    error = float(sent.std()) / math.sqrt(len(sent))
    assert abs(float(theory.pull_of_best(shift, 0.1, 2)) - float(sent.mean())) < 4 * error


PARTS = {
    "gradients": lambda: logit_gradients.measured_gradients(SHORT)[0],
    "optima": lambda: toy._optima(SHORT)[0],
    "temperature": lambda: temperature.measured_temperature(SHORT, 0),
}


@cache
def honest(part: str):
    """Measure the figures of a part once."""
    return PARTS[part]()


@pytest.mark.parametrize(
    ("part", "formula", "wrong"),
    [
        ("gradients", "logit_gradient", lambda logits, target: target - torch.sigmoid(logits)),
        ("optima", "best_probability", lambda log_ratio, alpha, sides: torch.sigmoid(log_ratio)),
        ("optima", "slope_in_ratio", lambda log_ratio, alpha, sides: torch.ones_like(log_ratio)),
        ("temperature", "SGD", lambda *given, lr, **more: SGD(*given, lr=lr / 2, **more)),
    ],
)
def test_a_wrong_formula_turns_the_verdict(monkeypatch, part: str, formula: str, wrong):
    before = verdicts(honest(part))
    if formula == "SGD":  # the temperature is taken for a rate, and not for its square
        rescaled = temperature._double_game
        monkeypatch.setattr(
            temperature,
            "_double_game",
            lambda loss, stabilisers, seed, kind, rate: rescaled(
                loss, stabilisers, seed, kind, math.sqrt(rate)
            ),
        )
    else:
        monkeypatch.setattr(theory, formula, wrong)
    turned = verdicts(PARTS[part]())
    assert any(before[key] != "fails" == turned[key] for key in before) or part == "optima"
    assert "fails" in turned.values()


def test_labels_softened_the_wrong_way_turn_the_verdict(monkeypatch):
    def wrong(real, fake, targets):
        return (
            _cross_entropy.cross_entropy(real, 2 - targets.real)
            + _cross_entropy.cross_entropy(fake, -targets.fake)
        ).mean()

    monkeypatch.setattr(non_saturating, "discriminator", wrong)
    assert verdict_of(PARTS["gradients"]()) == "fails"
    assert verdict_of(PARTS["optima"]()) == "fails"


@pytest.mark.parametrize("kind", ["SGD", "Adam"])
def test_temperature_is_a_rescaled_last_layer(kind: str):
    off = temperature.rescaling_error(SHORT, 1, {"SGD": SGD, "Adam": Adam}[kind], [], [])
    assert off < (1e-9 if kind == "SGD" else 1e-3)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"alpha": 0.5}, "alpha is at least 0 and below 0.5"),
        ({"alpha": -0.1}, "alpha is at least 0 and below 0.5"),
        ({"temperature": 0}, "temperature is above 0"),
        ({"temperature": -2}, "temperature is above 0"),
        ({"distance": 0}, "distance cannot be 0"),
        ({"seeds": 1}, "seeds cannot be 1"),
    ],
)
def test_settings_that_mean_nothing_are_refused(short_training, settings, words: str):
    with pytest.raises(UsageError, match=words):
        run("soft-labels", on=short_training, **settings)


def test_labels_that_are_not_softened_are_measured_too(short_training, tmp_path):
    """Measure hard labels: at alpha = 0 all kinds of labels are the same."""
    outcome = perform("soft-labels", {**SHORT_SETTINGS, "alpha": 0.0}, on=short_training)
    assert outcome.verdict == "not decided", "there is no difference to decide on"
    behind = by_key(outcome.figures)["left-behind"]
    assert behind.value == 0
    assert "Two-sided" not in outcome.advice
    write_outcome(outcome, tmp_path)


def test_a_pull_that_stays_turns_the_verdict(monkeypatch):
    """Plant the opposite of what is measured: two-sided labels that pull as much, and bring it nearer."""
    assert verdicts(toy._at_small_ratios(0.1))["generator"] == "fails"
    monkeypatch.setattr(theory, "slope_in_ratio", lambda log_ratio, alpha, sides: torch.ones_like(log_ratio))
    pull = by_key(toy._at_small_ratios(0.1))["pull"]
    assert verdicts([pull])["generator"] == "holds"
