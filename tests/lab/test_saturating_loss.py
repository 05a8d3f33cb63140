"""The saturating loss against exact algebra, and verdicts that turn when the opposite is planted."""

import math
from typing import Any

import pytest
import torch

from ganzfeld.errors import UsageError
from ganzfeld.lab import live, run, verdict_of
from ganzfeld.lab.experiments.saturating_loss import SHORT as SHORT_SETTINGS
from ganzfeld.lab.experiments.saturating_loss import Settings, theory, toy
from ganzfeld.lab.experiments.saturating_loss import live as in_situ
from ganzfeld.lab.game.frozen import live_game, look_rounds
from ganzfeld.losses import minimax, non_saturating

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
        ("_breaks", "break_of_minimax", lambda direct: 20.0),
        ("_breaks", "break_of_non_saturating", lambda direct, flushed: -104.0),
    ],
)
def test_a_wrong_formula_turns_the_verdict(monkeypatch, part: str, formula: str, wrong):
    def figures():
        found = getattr(toy, part)()
        return found[0] if isinstance(found, tuple) else found

    assert verdict_of(figures()) != "fails"
    monkeypatch.setattr(theory, formula, wrong)
    assert verdict_of(figures()) == "fails"


def test_losses_that_are_exchanged_turn_the_verdict(monkeypatch, short_training):
    networks = live(short_training)
    short = Settings(num_steps=2, num_points=8)
    assert verdict_of(toy._toy(short, 0)[0]) != "fails"
    assert verdict_of(in_situ.in_situ(networks, short, 0)[0]) != "fails"
    first, second = minimax.generator, non_saturating.generator
    monkeypatch.setattr(minimax, "generator", second)
    monkeypatch.setattr(non_saturating, "generator", first)
    assert verdict_of(toy._derivatives()) == "fails"
    assert verdict_of(toy._toy(short, 0)[0]) == "fails"
    assert verdict_of(in_situ.in_situ(networks, short, 0)[0]) == "fails"


@pytest.mark.parametrize("flushed", [False, True])
def test_denormals_are_left_as_they_were(flushed: bool):
    torch.set_flush_denormal(flushed)
    toy._breaks()
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
