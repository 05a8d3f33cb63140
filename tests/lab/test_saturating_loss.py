"""The saturating loss against exact algebra, and verdicts that turn when the opposite is planted."""

import math
from typing import Any

import numpy as np
import pytest
import torch

from ganzfeld.errors import UsageError
from ganzfeld.lab import live, run
from ganzfeld.lab.experiments.saturating_loss import SHORT as SHORT_SETTINGS
from ganzfeld.lab.experiments.saturating_loss import Settings, theory, toy
from ganzfeld.lab.experiments.saturating_loss import live as in_situ
from ganzfeld.lab.experiments.saturating_loss.breaks import break_points
from ganzfeld.lab.game.frozen import live_game, look_rounds
from ganzfeld.losses import minimax, non_saturating
from tests.lab.verdicts import verdicts

sympy: Any = pytest.importorskip("sympy")

SHORT = Settings.model_validate(SHORT_SETTINGS)


@pytest.mark.parametrize(("cost", "name"), [("log(1 - D)", "minimax"), ("-log(D)", "non-saturating")])
def test_slopes_are_those_of_exact_algebra(cost: str, name: str):
    logit = sympy.symbols("l", real=True)
    probability = 1 / (1 + sympy.exp(-logit))
    slope = sympy.diff(sympy.sympify(cost).subs("D", probability), logit)
    for value in (-20.0, -3.0, 0.0, 0.7, 15.0):
        found = float(theory.SLOPES[name](torch.tensor(value, dtype=torch.float64)))
        assert found == pytest.approx(float(slope.subs(logit, sympy.Rational(value)).evalf(30)), abs=1e-12)


def test_the_slopes_in_the_probability_are_those_of_exact_algebra():
    probability, logit = sympy.symbols("D l")
    for cost, ours in (
        (sympy.log(1 - probability), theory.minimax_by_probability),
        (-sympy.log(probability), theory.non_saturating_by_probability),
    ):
        exact = sympy.diff(cost, probability).subs(probability, sympy.Rational(1, 150))
        assert ours(1 / 150) == pytest.approx(float(exact), rel=1e-12)
    slope = sympy.diff(1 / (1 + sympy.exp(-logit)), logit).subs(logit, -5)
    assert theory.sigmoid_slope(-5.0) == pytest.approx(float(slope.evalf(20)), rel=1e-12)
    at = 1 / (1 + math.exp(5))
    assert theory.minimax_by_probability(at) == pytest.approx(-1.0067, abs=1e-4), "it does not vanish"
    assert theory.minimax_by_probability(at) * theory.sigmoid_slope(-5.0) == pytest.approx(-at, rel=1e-12)


def test_break_points_are_those_of_the_numbers():
    """Derive the break points from the spacing of float32 alone, without a scan."""
    eps, tiny = torch.finfo(torch.float32).eps, torch.finfo(torch.float32).smallest_normal
    assert theory.break_of_minimax(False) == pytest.approx(-math.log(eps / 4))
    assert theory.break_of_minimax(True) == pytest.approx(-math.log(eps / 2))
    assert theory.break_of_non_saturating(False, True) == pytest.approx(math.log(tiny))
    assert theory.break_of_non_saturating(False, False) == pytest.approx(math.log(tiny * eps / 2))
    assert theory.break_of_non_saturating(True, False) == pytest.approx(
        -math.log(torch.finfo(torch.float32).max), abs=1e-6
    )


@pytest.mark.parametrize(
    ("part", "formula", "wrong"),
    [
        ("_derivatives", "SLOPES", {"minimax": lambda x: torch.sigmoid(x), "non-saturating": lambda x: x}),
        (
            "_derivatives",
            "SLOPES",
            {
                "minimax": lambda x: -torch.sigmoid(-x),  # the two exchanged
                "non-saturating": lambda x: -torch.sigmoid(x),
            },
        ),
        ("break_points", "break_of_minimax", lambda direct: 20.0),
        ("break_points", "break_of_non_saturating", lambda direct, flushed: -104.0),
    ],
)
def test_a_wrong_formula_turns_the_verdict(monkeypatch, part: str, formula: str, wrong):
    def found() -> set[str]:
        figures = break_points()[0] if part == "break_points" else toy._derivatives()
        return set(verdicts(figures).values())

    assert "fails" not in found()
    monkeypatch.setattr(theory, formula, wrong)
    assert "fails" in found()


@pytest.mark.parametrize("name", ["minimax_by_probability", "non_saturating_by_probability", "sigmoid_slope"])
def test_a_wrong_slope_in_the_probability_turns_the_verdict(monkeypatch, name: str):
    found = verdicts(toy._reasons())
    assert found == {
        "minimax": "holds",
        "non-saturating": "holds",
        "reason": "fails",
        "large": "holds with limits",
    }
    monkeypatch.setattr(theory, name, lambda at: 0.5)
    assert {"minimax", "non-saturating"} & {
        key for key, verdict in verdicts(toy._reasons()).items() if verdict == "fails"
    }


def test_a_slope_that_vanishes_with_its_value_turns_the_verdict(monkeypatch):
    """Plant the textbook's reason: a function whose slope is as small as its value."""
    monkeypatch.setattr(toy, "slope_of", lambda function, at: function(at))
    assert verdicts(toy._reasons())["reason"] == "holds"


@pytest.mark.parametrize(
    ("change", "fades", "keeps"),
    [(-1.0, "holds", "fails"), (1.0, "fails", "fails"), (0.0, "not decided", "fails")],
)
def test_what_is_left_of_a_gradient_decides(change: float, fades: str, keeps: str):
    """Change the minimax gradient by a known power of ten, and leave less to the other loss."""
    noise = torch.rand(5, generator=torch.Generator().manual_seed(0)).numpy() * 0.01
    courses = {
        "minimax": 10 ** np.stack([0 * noise, change + noise - 0.005]),
        "non-saturating": 10 ** np.stack([0 * noise, change - 1 + noise]),
    }
    slopes = {"minimax": np.array([0.5, 0.05]), "non-saturating": np.array([0.5, 0.95])}
    found = verdicts(toy._compared(courses, slopes, 0.0, 0.05))
    assert (found["fades"], found["keeps"]) == (fades, keeps)


def test_losses_that_are_exchanged_turn_the_verdict(monkeypatch, short_training):
    networks = live(short_training)
    short = Settings(num_steps=2, num_points=8)
    two = {"minimax", "non-saturating"}

    def failing(figures) -> set[str]:
        return two & {key for key, verdict in verdicts(figures).items() if verdict == "fails"}

    assert not failing(toy._toy(short, 0)[0]) and not failing(in_situ.in_situ(networks, short, 0)[0])
    first, second = minimax.generator, non_saturating.generator
    monkeypatch.setattr(minimax, "generator", second)
    monkeypatch.setattr(non_saturating, "generator", first)
    assert failing(toy._derivatives()) == two
    assert failing(toy._toy(short, 0)[0]) and failing(in_situ.in_situ(networks, short, 0)[0])


@pytest.mark.parametrize("flushed", [False, True])
def test_denormals_are_left_as_they_were(flushed: bool):
    torch.set_flush_denormal(flushed)
    break_points()
    assert (float(torch.tensor(1e-38) * 1e-3) == 0.0) == flushed


def test_the_generator_is_held_still(short_training):
    networks = live(short_training)
    game = live_game(networks, networks.stages[1], 0)
    before = [weight.detach().clone() for weight in game.gan.generator.parameters()]
    weights = next(game.gan.discriminator.parameters()).detach().clone()
    game.play(3)
    assert all(map(torch.equal, before, game.gan.generator.parameters()))
    assert not torch.equal(weights, next(game.gan.discriminator.parameters()))


def test_looks_are_at_powers_of_two_and_the_end():
    assert look_rounds(10) == [0, 1, 2, 4, 8, 10]
    assert look_rounds(1) == [0, 1]


def test_so_many_seeds_are_played():
    """Play as many games as the settings say; their number stands beside the figures."""
    short = Settings(num_steps=1, num_points=8, seeds=3)
    assert {len(course[0]) for course in toy._toy(short, 0)[1]["courses"].values()} == {3}


@pytest.mark.parametrize(
    "settings", [{"num_steps": 0}, {"seeds": 1}, {"num_points": 1}, {"num_steps": "many"}]
)
def test_settings_that_mean_nothing_are_refused(short_training, settings):
    with pytest.raises(UsageError, match="cannot be"):
        run("saturating-loss", on=short_training, **settings)
