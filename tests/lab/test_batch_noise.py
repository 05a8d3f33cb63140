"""The errors of variances against exact algebra and Monte Carlo, and what a pool of maps is worth."""

import pytest
import sympy
import torch
from torch import nn

from ganzfeld.errors import UsageError
from ganzfeld.lab import Measured, Training, run, verdict_of
from ganzfeld.lab.experiments.batch_noise import SHORT, Settings, theory, toy
from ganzfeld.lab.experiments.batch_noise import live as in_situ
from ganzfeld.lab.outcome import by_key
from ganzfeld.networks.normalisations import batch, instance
from tests.lab.verdicts import verdicts

SETTINGS = Settings(**SHORT)


def bench(seed: int = 1, **settings) -> dict[str, Measured]:
    figures, _ = toy.bench(SETTINGS.model_copy(update=settings), seed, False)
    return by_key(figures)


def exact_error(num: int, divisor: int) -> sympy.Expr:
    """Derive the error from chi-squared: the sum of squares has mean n - 1 and variance 2 (n - 1)."""
    mean, variance = sympy.Rational(num - 1, divisor), sympy.Rational(2 * (num - 1), divisor**2)
    return variance + (mean - 1) ** 2


@pytest.mark.parametrize("num", [2, 4, 16, 64])
def test_closed_forms_are_the_moments_of_chi_squared(num: int):
    assert theory.unbiased_error(num) == pytest.approx(float(exact_error(num, num - 1)), rel=1e-14)
    assert theory.biased_error(num) == pytest.approx(float(exact_error(num, num)), rel=1e-14)


def test_quoted_figures():
    assert theory.biased_error(2) == 0.75
    figures = bench(draws=100_000)
    for size in (2, 4, 16, 64):
        unbiased = figures[f"unbiased-b{size}"]
        biased = figures[f"biased-formula-b{size}"]
        assert unbiased.expected == 2 / (size - 1)
        assert biased.expected == (2 * size - 1) / size**2
        assert unbiased.agrees and biased.agrees
        assert unbiased.error < 0.02 * 2 / (size - 1)


def test_without_correlation_a_map_is_worth_its_positions():
    white = torch.eye(9, dtype=torch.float64)
    assert theory.correlated_error(white, 5) == pytest.approx(theory.biased_error(45), rel=1e-12)


def test_maps_of_one_colour_are_worth_one_number_each():
    one = torch.ones(9, 9, dtype=torch.float64)
    assert theory.correlated_error(one, 5) == pytest.approx(theory.biased_error(5), rel=1e-12)


def test_the_trace_formula_is_the_one_of_the_whole_matrix():
    covariance = theory.correlations(3, 1.5)
    whole = torch.block_diag(*[covariance] * 4)
    num = len(whole)
    centre = (torch.eye(num).double() - torch.ones(num, num).double() / num) / num
    form = centre @ whole
    expected = (form.trace() - 1) ** 2 + 2 * (form @ form).trace()
    assert theory.correlated_error(covariance, 4) == pytest.approx(float(expected), rel=1e-12)


def test_the_variance_is_the_one_that_is_divided_by():
    """Read the variance from differences: it is the biased one."""
    noise = torch.Generator().manual_seed(3)
    read = toy.variance_divided_by("batch", (6, 5, 2, 2), None, noise)
    maps = torch.randn(6, 5, 2, 2, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    assert torch.allclose(read, maps.var((0, 2, 3), correction=0), rtol=1e-6)


def test_the_error_in_situ_finds_independent_numbers():
    noise = torch.Generator().manual_seed(0)
    white = torch.randn(1024, 16, 4, 4, generator=noise)
    error, spread, _ = in_situ.batch_error(white, 8, 0)
    assert abs(theory.worth(error) - 128) < 4 * theory.worth_error(error, spread)
    flat = torch.randn(1024, 16, 1, 1, generator=noise).expand(-1, -1, 4, 4)
    error, spread, _ = in_situ.batch_error(flat, 8, 0)
    assert abs(error - theory.biased_error(8)) < 4 * spread


@pytest.mark.parametrize("num", [1, 2, 3, 8, 100, 2_048])
def test_a_pool_of_independent_numbers_is_worth_their_number(num: int):
    """With the unbiased formula 2 numbers read 3.67, and 8 read 9.53."""
    assert theory.worth(theory.biased_error(num)) == pytest.approx(num)


def test_the_error_of_a_worth_is_that_of_its_slope():
    for num in (2.0, 8.0, 60.0):
        error, step = theory.heavy_tailed_error(num, 0.0), 1e-6
        slope = (theory.worth(error - step) - theory.worth(error + step)) / (2 * step)
        assert theory.worth_error(error, 1.0) == pytest.approx(slope, rel=1e-4)


def test_heavy_tails_lower_the_worth_without_correlation():
    """Laplace numbers have an excess kurtosis of 3, uniform ones of -1.2; by Monte Carlo."""
    noise = torch.Generator().manual_seed(0)
    uniform = torch.rand(200_000, 8, generator=noise, dtype=torch.float64)
    laplace = torch.sign(uniform - 0.5) * torch.log1p(-2 * (uniform - 0.5).abs()) / 2**0.5
    for values, kurtosis in ((laplace, 3.0), ((uniform - 0.5) * 12**0.5, -1.2)):
        squares = (values.var(1, correction=0) - 1).square()
        spread = float(squares.std() / len(squares) ** 0.5)
        assert abs(float(squares.mean()) - theory.heavy_tailed_error(8, kurtosis)) < 5 * spread
    assert theory.heavy_tailed_error(8, 0.0) == pytest.approx(theory.biased_error(8))
    maps = laplace[:16_000].view(1_000, 8, 4, 4)
    assert in_situ.kurtosis_of(maps) == pytest.approx(3.0, abs=0.3)


def test_verdict():
    figures = list(bench().values())
    assert verdicts(figures) == {"error": "holds", "normalised": "fails", "instance": "holds with limits"}
    assert all(figure.agrees for figure in figures if figure.role == "shown")


def test_a_batch_norm_with_the_unbiased_variance_turns_the_verdict(monkeypatch: pytest.MonkeyPatch):
    """Divide by S^2, as the text says that batch norm does: then its noise is 2/(B-1)."""

    class Unbiased(nn.BatchNorm2d):
        def forward(self, input: torch.Tensor) -> torch.Tensor:
            variance = input.var((0, 2, 3), keepdim=True)
            return (input - input.mean((0, 2, 3), keepdim=True)) / (variance + self.eps).sqrt()

    monkeypatch.setattr(batch, "normalise", lambda layer, channels, dims: [layer, Unbiased(channels)])
    found = [figure for figure in bench(reach=0.0).values() if figure.of == "normalised"]
    assert verdicts(found) == {"normalised": "holds"}


def test_a_wrong_formula_turns_the_verdict(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(theory, "unbiased_error", lambda num: 2 / (num + 1))
    assert verdict_of(list(bench().values())) == "fails"


def test_an_instance_norm_that_sees_the_batch_turns_the_verdict(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(instance, "normalise", batch.normalise)
    assert verdict_of(list(bench().values())) == "fails"


def test_a_batch_norm_with_other_statistics_turns_the_verdict(monkeypatch: pytest.MonkeyPatch):
    class TooFew(nn.BatchNorm2d):
        def forward(self, input: torch.Tensor) -> torch.Tensor:
            some = input[: max(2, len(input) // 2)]
            mean, variance = some.mean((0, 2, 3), keepdim=True), some.var((0, 2, 3), keepdim=True)
            return (input - mean) / (variance + self.eps).sqrt()

    monkeypatch.setattr(batch, "normalise", lambda layer, channels, dims: [layer, TooFew(channels)])
    assert verdict_of(list(bench().values())) == "fails"


@pytest.mark.parametrize("size", [1, 0, -3, 10**9])
def test_a_batch_without_a_variance_is_refused(size: int, short_training: Training):
    with pytest.raises(UsageError, match=f"batch is from 2 to 256, not {size}"):
        run("batch-noise", batch=size, on=short_training)
