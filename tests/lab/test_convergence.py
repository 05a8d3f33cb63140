"""Which methods converge: closed forms against games, and verdicts that turn."""

import math

import numpy as np
import pytest

from ganzfeld.lab.experiments.convergence import Settings, theory, toy
from ganzfeld.lab.outcome import Measured, by_key, verdict_of
from ganzfeld.losses import losses

NEAR = 1e-4


def test_slopes_are_those_of_the_losses():
    """By central differences of games near rest: one simultaneous round of step 1 moves by the slopes."""
    assert set(theory.SLOPES) == set(losses.names())
    for loss, slopes in theory.SLOPES.items():
        path = toy.path_of(Settings(step=1.0), loss, method="simultaneous", start=(NEAR, 2 * NEAR), rounds=1)
        moved = (path[1] - path[0]) / NEAR
        assert moved == pytest.approx([2 * slopes.b, -slopes.a], abs=1e-3), loss


def test_alternating_rounds_are_bounded_up_to_the_limit():
    for steps_of_d in (1, 3):
        limit = theory.largest_alternating_step(theory.SLOPES["hinge"], steps_of_d)
        for share, bounded in ((0.98, True), (1.02, False)):
            matrix = theory.transition(
                "alternating", theory.SLOPES["hinge"], share * limit, steps_of_d=steps_of_d
            )
            assert (theory.growth(matrix) < 1 + 1e-9) == bounded


@pytest.mark.parametrize("loss", theory.SLOPES)
def test_creeping_is_that_of_games(loss: str):
    """At a small step size, over whole turns, from a radius of 0.5."""
    settings = Settings(step=0.05, rounds=1000)
    path = toy.path_of(settings, loss, start=(0.5, 0.0))
    late = np.hypot(*path[-int(4 * math.pi / 0.05) :].T).mean()
    middle = 50 - 2 * math.pi
    assert late == pytest.approx(theory.creeping_radius(loss, 0.5, middle), rel=0.05)


@pytest.fixture(scope="module")
def figures() -> tuple[Measured, ...]:
    return toy.bench(Settings(), 0, False)[0]


class TestVerdicts:
    def of(self, figures, sentence: str) -> str:
        return verdict_of([figure for figure in figures if figure.of == sentence])

    def test_what_is_measured(self, figures):
        verdicts = {
            key: self.of(figures, key)
            for key in ("no-rate", "keeps-distance", "steps-of-d", "momentum", "penalties", "wgan-gp")
        }
        assert verdicts == {
            "no-rate": "holds",
            "keeps-distance": "fails",
            "steps-of-d": "holds",
            "momentum": "holds",
            "penalties": "holds with limits",
            "wgan-gp": "holds",
        }

    def test_too_large_a_weight_does_not_converge(self):
        assert self.of(toy._penalties(Settings(weight=25.0)), "penalties") == "fails"

    def test_a_wrong_formula_fails(self, monkeypatch: pytest.MonkeyPatch):
        right = theory.transition
        monkeypatch.setattr(theory, "transition", lambda *a, **k: right(*a, **k) * 1.001)
        assert not toy._formula(Settings(), (0.6, 0.8)).agrees

    def test_only_losses_without_damping_keep_the_distance(self, figures):
        figures = by_key(figures)
        for loss in theory.SLOPES:
            assert figures[f"left-none-{loss}"].agrees == (loss not in theory.DAMPING)
        assert all(figures[f"creeps-{loss}"].agrees for loss in theory.DAMPING)


def test_the_live_run_moves(short_training):
    from ganzfeld.lab import live
    from ganzfeld.lab.experiments.convergence.live import in_situ

    figures, _ = in_situ(live(short_training), Settings(), 0)
    assert all(0 < figure.value < 10 for figure in figures) and len(figures) == 2
