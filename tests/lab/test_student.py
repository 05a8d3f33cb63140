"""Student's t against scipy, and the widths that follow from it."""

import math

import pytest
from scipy import stats

from ganzfeld.lab.student import half_width, quantile, tail, welch


@pytest.mark.parametrize("dof", [1, 1.5, 2, 3.7, 4, 5, 10, 30, 99.5, 1_000, 1e5, 1e8, math.inf])
@pytest.mark.parametrize("probability", [0.5, 0.6, 0.95, 0.995, 0.9995, 1 - 1e-7, 0.01])
def test_quantiles_are_those_of_scipy(probability: float, dof: float):
    expected = stats.t.ppf(probability, dof) if dof < math.inf else stats.norm.ppf(probability)
    assert quantile(probability, dof) == pytest.approx(expected, rel=1e-8, abs=1e-9)


@pytest.mark.parametrize("dof", [1, 2.5, 4, 40, 1e4])
@pytest.mark.parametrize("t", [0.0, 0.3, 2.0, 12.0, -1.0])
def test_tails_are_those_of_scipy(t: float, dof: float):
    assert tail(t, dof) == pytest.approx(stats.t.sf(t, dof), rel=1e-9)


def test_widths():
    assert half_width(0.0, 4) == 0
    assert half_width(0.5, 4) == pytest.approx(0.5 * 4.604095, rel=1e-6)
    assert math.isnan(half_width(math.nan, 0))
    assert half_width(1.0, 1) > 60, "two values tell little"


def test_welch():
    one, other = [1.0, 2.0, 4.0, 7.0], [3.0, 3.5, 9.0]
    errors = [stats.sem(values) for values in (one, other)]
    expected = stats.ttest_ind(one, other, equal_var=False).df  # pyright: ignore[reportAttributeAccessIssue]
    assert welch(errors[0], 3, errors[1], 2) == pytest.approx(expected)
    assert welch(0.0, math.inf, 0.3, 4) == pytest.approx(4)
    assert welch(0.0, math.inf, 0.0, math.inf) == math.inf


@pytest.mark.parametrize(("probability", "dof"), [(0.0, 4), (1.0, 4), (0.5, 0), (0.5, -1)])
def test_what_is_no_probability_is_refused(probability: float, dof: float):
    with pytest.raises(ValueError):
        quantile(probability, dof)
