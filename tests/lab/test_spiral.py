"""The spiral: closed forms against exact algebra, and verdicts that turn when the opposite is planted."""

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch

from ganzfeld.errors import UsageError
from ganzfeld.lab import run
from ganzfeld.lab.experiments.spiral import SHORT as SHORT_SETTINGS
from ganzfeld.lab.experiments.spiral import Settings, convergence, momentum, rest, theory, toy
from ganzfeld.lab.experiments.spiral import live as in_situ
from ganzfeld.lab.outcome import by_key
from ganzfeld.lab.repeated import merged
from ganzfeld.losses import losses
from tests.lab.verdicts import verdicts

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


def test_momentum_changes_period_and_growth():
    """Quote what the page does: h omega = 0.578 and beta = 0.5, without damping."""
    plain, factor = 1 + 0.578j, theory.with_momentum(0.578j, 0.5)
    assert 2 * np.pi / np.angle(plain) == pytest.approx(12.0, abs=0.05)
    assert 2 * np.pi / np.angle(factor) == pytest.approx(16.6, abs=0.05)
    assert abs(plain) == pytest.approx(1.155, abs=5e-4)
    assert abs(factor) == pytest.approx(1.197, abs=5e-4)
    assert theory.with_momentum(0.578j, 0.0) == pytest.approx(plain)


@pytest.mark.parametrize(
    ("lg", "ld", "step", "beta"), [(0, 0, 0.578, 0.5), (0.1, 0.9, 1.2, 0.9), (0, 3, 0.3, 0.2)]
)
def test_the_factor_with_momentum_is_that_of_exact_algebra(lg: float, ld: float, step: float, beta: float):
    """Eliminate the momentum by hand: det((z - 1)(z - beta) - (1 - beta) h J z) = 0."""
    z = sympy.symbols("z")
    lg, ld, h, b = (sympy.nsimplify(value) for value in (lg, ld, step, beta))
    matrix = (z - 1) * (z - b) * sympy.eye(2) - (1 - b) * h * z * sympy.Matrix([[-lg, 1], [-1, -ld]])
    roots = sympy.Poly(sympy.expand(matrix.det()), z).nroots(n=20)
    exact = max(abs(complex(root)) for root in roots)
    values = theory.eigenvalues(float(lg), float(ld))
    assert max(abs(theory.with_momentum(float(h) * value, float(b))) for value in values) == pytest.approx(
        exact
    )


def test_a_game_with_momentum_goes_by_its_matrix(monkeypatch: pytest.MonkeyPatch):
    assert momentum.path_error(SHORT, (0.6, 0.8)) < 1e-12
    monkeypatch.setattr(theory, "momentum_round", lambda step, lg, ld, beta: np.eye(4))
    assert momentum.path_error(SHORT, (0.6, 0.8)) > 0.1


@pytest.mark.parametrize("name", losses.names())
def test_every_loss_rotates_at_its_own_rest(name: str):
    """Let D have a bias: least squares rests at the logit 1/2, and rotates half as fast as the others."""
    loss = rest._loss(name)
    half = name == "least-squares"
    assert rest.rest_logit(loss) == pytest.approx(0.5 if half else 0.0, abs=1e-9)
    values = np.linalg.eigvals(rest.jacobian_at_rest(loss))
    assert np.imag(values).max() == pytest.approx(0.5 if half else 1.0, abs=1e-9)


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
    ("part", "of", "formula", "wrong"),
    [
        (
            "algebra",
            "eigenvalues",
            "eigenvalues",
            lambda lg, ld: (complex((lg + ld) / 2, 1), complex((lg + ld) / 2, -1)),
        ),
        ("algebra", "frequency", "frequency", lambda lg, ld: np.sqrt(4 + (lg - ld) ** 2) / 2),
        ("played", "frequency", "frequency", lambda lg, ld: np.sqrt(4 - (lg + ld) ** 2) / 2),
        ("played", "spirals", "growth_of_simultaneous", lambda step, lg, ld: 1 - step * (lg + ld) / 2),
        ("steps", "spirals", "largest_step", lambda method, strength=1.0: 0.8),
        ("map", "spirals", "growth", lambda method, h, lg, ld, strength: np.exp(h * (lg + ld) / 2)),
    ],
)
def test_a_wrong_formula_turns_the_verdict(monkeypatch, part: str, of: str, formula: str, wrong):
    assert verdicts(honest(part))[of].startswith("holds")
    monkeypatch.setattr(theory, formula, wrong)
    assert verdicts(PARTS[part]())[of] == "fails"


def test_a_game_that_does_not_turn_turns_the_verdict(monkeypatch):
    """Give both networks the same loss: without conflict there is no rotation."""
    from ganzfeld.losses import wasserstein

    monkeypatch.setattr(wasserstein, "generator", lambda real, fake: fake.mean())
    assert verdicts(rest.at_rest()[0])["eigenvalues"] == "fails"
    assert verdicts(toy._played(SHORT, 0)[0])["frequency"] == "fails"


def test_without_conflict_live_networks_do_not_turn(monkeypatch, short_training):
    """Measure in situ too: if both minimise one loss, the Jacobian is symmetric."""
    from ganzfeld.lab import live
    from ganzfeld.losses import non_saturating

    def seen() -> dict[str, Any]:
        """Measure two runs, of which one alone would decide nothing."""
        figures = [in_situ.in_situ(live(short_training), SHORT, seed)[0] for seed in range(2)]
        return by_key(merged(same) for same in zip(*figures, strict=False) if len({f.key for f in same}) == 1)

    found = seen()
    assert found["live-asymmetry"].value > 0.05 and found["live-turns"].value > 0

    def common(real: torch.Tensor, fake: torch.Tensor, targets) -> torch.Tensor:
        return (real**2).mean() + (fake**2).mean()

    monkeypatch.setattr(non_saturating, "discriminator", common)
    monkeypatch.setattr(non_saturating, "generator", lambda real, fake: (real**2).mean() + (fake**2).mean())
    found = seen()
    assert found["live-asymmetry"].value < in_situ.SYMMETRIC and found["live-asymmetry"].departs


def test_a_setting_that_does_not_turn_does_not_hold():
    """Take |lg - ld| above 2: the eigenvalues are real."""
    found = verdicts([*toy._algebra(Settings(lg=0.1, ld=3.0)), *rest.at_rest()[0]])
    assert found["eigenvalues"] == "fails"
    assert verdicts([*toy._algebra(SHORT), *rest.at_rest()[0]])["eigenvalues"] == "holds"


def test_adam_decides_whether_the_spiral_is_stable():
    """Let it come to rest: with the map's games of Adam at rest the sentence holds."""
    figures = [*convergence.map_of_convergence(SHORT, 8)[0], *toy._growth(SHORT, (0.6, 0.8))]
    own = [figure for figure in figures if figure.of == "stable"]
    assert verdicts(own)["stable"] == "fails"
    planted = [replace(figure, value=1.0 if figure.relation == "=" else 0.9) for figure in own]
    assert verdicts(planted)["stable"] == "holds"


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


@pytest.mark.parametrize(
    "settings",
    [
        {"lg": 0, "ld": 3.0},
        {"lg": 0, "ld": 0},
        pytest.param({"lg": 2, "ld": 2.0}, marks=pytest.mark.thorough),
    ],
)
def test_corners_of_the_settings_are_measured_too(settings):
    """Measure without rotation, without damping and with strong damping."""
    chosen = Settings(cells=2, fan=4, **settings)
    found = verdicts([*toy._algebra(chosen), *toy._played(chosen, 0)[0]])
    assert found["spirals"] == "holds with limits"
    assert found["frequency"] != "fails"


@pytest.mark.thorough
def test_a_finer_fan_refutes_no_limit():
    """Play longer near a limit: just above that of extragradient 120 rounds did not grow enough."""
    figures = convergence.largest_steps(Settings(lg=0, ld=0, fan=40), methods=["extragradient"])[0]
    assert [figure.agrees for figure in figures] == [True]
