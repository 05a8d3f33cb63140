"""The spiral: closed forms against exact algebra, and verdicts that turn when the opposite is planted."""

from functools import cache
from typing import Any

import numpy as np
import pytest
import torch

from ganzfeld.errors import UsageError
from ganzfeld.lab import run, verdict_of
from ganzfeld.lab.experiments.spiral import SHORT as SHORT_SETTINGS
from ganzfeld.lab.experiments.spiral import Settings, convergence, theory, toy
from ganzfeld.lab.experiments.spiral import live as in_situ
from ganzfeld.lab.outcome import by_key

sympy: Any = pytest.importorskip("sympy")

SHORT = Settings.model_validate(SHORT_SETTINGS)


@pytest.mark.parametrize(("lg", "ld"), [(0, 0), (0.1, 0.5), (1.5, 0.25), (3, 0.5)])
def test_eigenvalues_are_those_of_exact_algebra(lg: float, ld: float):
    exact = [sympy.nsimplify(value) for value in (lg, ld)]
    matrix = sympy.Matrix([[-exact[0], 1], [-1, -exact[1]]])
    wanted = [complex(value) for value, times in matrix.eigenvals().items() for _ in range(times)]
    found = theory.eigenvalues(lg, ld)
    assert np.allclose(np.sort_complex(np.array(wanted)), np.sort_complex(np.array(found)), atol=1e-12)
    assert theory.frequency(lg, ld) == pytest.approx(max(value.imag for value in wanted), abs=1e-12)


def test_largest_steps_follow_from_exact_algebra():
    h, c = sympy.symbols("h c", positive=True)
    z = sympy.symbols("z")
    alternating = sympy.Matrix([[1 - h**2, h], [-h, 1]])
    assert sympy.simplify(alternating.det()) == 1
    assert [*map(float, sympy.solve(alternating.trace() + 2, h))] == [theory.largest_step("alternating")]
    extragradient = sympy.expand((1 - h**2) ** 2 + h**2)
    assert [*map(float, sympy.solve(extragradient - 1, h))] == [theory.largest_step("extragradient")]
    steps = sympy.Rational(1, 3) ** sympy.Rational(1, 2)
    roots = sympy.Poly(z**2 - (1 + 2 * sympy.I * steps) * z + sympy.I * steps, z).nroots()
    assert max(abs(complex(root)) for root in roots) == pytest.approx(1, abs=1e-9)
    assert theory.largest_step("optimistic") == pytest.approx(float(steps))
    (limit,) = sympy.solve(sympy.expand((1 - h * c) ** 2 + h**2) - 1, h)
    for strength in (0.5, 1.0, 2.0):
        assert float(limit.subs(c, strength)) == pytest.approx(theory.largest_step("consensus", strength))


def test_the_limit_of_simultaneous_steps_with_damping():
    lg, ld = 0.3, 0.9
    limit = theory.largest_simultaneous_step(lg, ld)
    assert theory.growth_of_simultaneous(limit, lg, ld) == pytest.approx(1, abs=1e-12)
    assert (
        theory.growth("simultaneous", 0.99 * limit, lg, ld)
        < 1
        < theory.growth("simultaneous", 1.01 * limit, lg, ld)
    )


PARTS = {
    "algebra": lambda: toy._algebra(SHORT),
    "played": lambda: toy._played(SHORT, 0)[0],
    "steps": lambda: convergence.largest_steps(SHORT)[0],
    "map": lambda: convergence.map_of_convergence(SHORT, 8)[0],
}


@cache
def honest(part: str):
    """Measure the figures of a part once."""
    return PARTS[part]()


@pytest.mark.parametrize(
    ("part", "formula", "wrong"),
    [
        ("algebra", "eigenvalues", lambda lg, ld: (complex((lg + ld) / 2, 1), complex((lg + ld) / 2, -1))),
        ("algebra", "frequency", lambda lg, ld: np.sqrt(4 + (lg - ld) ** 2) / 2),
        ("played", "frequency", lambda lg, ld: np.sqrt(4 - (lg + ld) ** 2) / 2),
        ("played", "growth_of_simultaneous", lambda step, lg, ld: 1 - step * (lg + ld) / 2),
        ("steps", "largest_step", lambda method, strength=1.0: 0.8),
        ("map", "growth", lambda method, h, lg, ld, strength: np.exp(h * (lg + ld) / 2)),
    ],
)
def test_a_wrong_formula_turns_the_verdict(monkeypatch, part: str, formula: str, wrong):
    assert verdict_of(honest(part)) != "fails"
    monkeypatch.setattr(theory, formula, wrong)
    assert verdict_of(PARTS[part]()) == "fails"


def test_a_game_that_does_not_turn_turns_the_verdict(monkeypatch):
    """Give both networks the same loss: without conflict there is no rotation."""
    from ganzfeld.losses import wasserstein

    monkeypatch.setattr(wasserstein, "generator", lambda real, fake: fake.mean())
    assert verdict_of(toy._at_rest()[0]) == "fails"
    assert verdict_of(toy._played(SHORT, 0)[0]) == "fails"


def test_without_conflict_live_networks_do_not_turn(monkeypatch, short_training):
    """Measure in situ too: if both minimise one loss, the Jacobian is symmetric."""
    from ganzfeld.lab import live
    from ganzfeld.losses import non_saturating

    networks = live(short_training)
    seen = by_key(in_situ.in_situ(networks, SHORT, 0)[0])
    assert seen["live-turns"].value == 1.0

    def common(real: torch.Tensor, fake: torch.Tensor, targets) -> torch.Tensor:
        return (real**2).mean() + (fake**2).mean()

    monkeypatch.setattr(non_saturating, "discriminator", common)
    monkeypatch.setattr(non_saturating, "generator", lambda real, fake: (real**2).mean() + (fake**2).mean())
    seen = by_key(in_situ.in_situ(networks, SHORT, 0)[0])
    assert 0 <= seen["live-turns"].value < 1


def test_how_clearly_an_eigenvalue_turns():
    turns, residuals = np.array([3.0, -3.0, 1.0, 0.0]), np.array([1.5, 1.5, 0.0, 0.0])
    assert in_situ._over(turns, residuals).tolist() == [2.0, -2.0, np.inf, 0.0]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"step": 0}, "step is above 0"),
        ({"step": -0.1}, "step is above 0"),
        ({"strength": 0}, "strength is above 0"),
        ({"lg": -1}, "lg cannot be -1"),
        ({"ld": float("nan")}, "ld cannot be nan"),
        ({"stepp": 1}, "unknown"),
    ],
)
def test_settings_that_mean_nothing_are_refused(short_training, settings, words: str):
    with pytest.raises(UsageError, match=words):
        run("spiral", on=short_training, **settings)


@pytest.mark.parametrize("settings", [{"lg": 0, "ld": 3.0}, {"lg": 0, "ld": 0}, {"lg": 2, "ld": 2.0}])
def test_corners_of_the_settings_are_measured_too(settings):
    """Measure without rotation, without damping and with strong damping."""
    chosen = Settings(cells=2, fan=4, **settings)
    assert verdict_of([*toy._algebra(chosen), *toy._played(chosen, 0)[0]]) == "holds with limits"


def test_a_finer_fan_refutes_no_limit():
    """Play longer near a limit: just above that of extragradient 120 rounds did not grow enough."""
    figures = convergence.largest_steps(Settings(lg=0, ld=0, fan=40), methods=["extragradient"])[0]
    assert [figure.agrees for figure in figures] == [True]
