"""Variances by layer against a count over every weight, norms against sympy, and what is planted."""

import math

import pytest
import sympy
import torch
from torch import nn

from ganzfeld.errors import UsageError
from ganzfeld.geometry import plan
from ganzfeld.lab import Measured, Training, live
from ganzfeld.lab.entering import activation_modules, entering
from ganzfeld.lab.experiments.latent_prior import SHORT, Settings, gains, theory, toy
from ganzfeld.lab.experiments.latent_prior import live as in_situ
from ganzfeld.lab.experiments.latent_prior.generators import untrained
from ganzfeld.lab.outcome import by_key
from ganzfeld.lab.perform import perform
from ganzfeld.lab.repeated import merged
from ganzfeld.latent.priors import normal, priors, uniform
from ganzfeld.networks.blocks import transposed_convolution
from ganzfeld.networks.normalisations import batch
from tests.lab.verdicts import verdicts

SETTINGS = Settings(**SHORT)
FEW = {"networks": 3, "latents": 32, "draws": 1_000}


def bench(**settings) -> dict[str, Measured]:
    figures, _ = toy.bench(SETTINGS.model_copy(update=settings), 1, False)
    return by_key(figures)


def test_variances_are_the_integrals():
    z = sympy.Symbol("z", real=True)
    densities = {
        "normal": (sympy.exp(-(z**2) / 2) / sympy.sqrt(2 * sympy.pi), sympy.oo),
        "uniform": (sympy.Rational(1, 2), 1),
    }
    for name, (density, end) in densities.items():
        second, fourth = (float(sympy.integrate(z**k * density, (z, -end, end))) for k in (2, 4))
        assert theory.PRIORS[name] == pytest.approx((second, fourth / second**2))


@pytest.fixture(scope="module")
def figures() -> dict[str, Measured]:
    return bench(networks=16, latents=128, width=8)


def test_quoted_figures(figures: dict[str, Measured]):
    assert theory.projection_variance(100, 1.0) ** 0.5 == pytest.approx(0.2)
    assert round(theory.projection_variance(100, 1 / 3) ** 0.5, 3) == 0.115
    before = {name: figures[f"before-norm-{name}"] for name in theory.PRIORS}
    assert before["normal"].value == pytest.approx(0.200, abs=0.003)
    assert before["uniform"].value == pytest.approx(0.115, abs=0.002)
    for name in theory.PRIORS:
        behind = figures[f"behind-norm-{name}"]
        assert behind.value == pytest.approx(1.000, abs=0.001)


def test_variances_by_layer_are_the_count_of_weights():
    """Count the numbers that reach each output with a layer of ones."""
    ladder, widths = plan(16), plan(16).widths(3)
    energy = torch.full((1, 1, *ladder.seed), theory.projection_variance(7, 0.5), dtype=torch.float64)
    expected = [float(energy.mean())]
    for layer, width in zip(ladder.layers, widths, strict=True):
        adding = transposed_convolution(layer, 1, 1, bias=False).double()
        nn.init.constant_(next(adding.parameters()), width * 0.02**2 / 2)
        energy = adding(energy).detach()
        expected.append(float(energy.mean()))
    assert theory.layer_variances(ladder, widths, 7, 0.5) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("size", [2, 100])
def test_norms_are_those_of_the_chi_distribution(size: int):
    r = sympy.Symbol("r", positive=True)
    weight = r ** (size - 1) * sympy.exp(-(r**2) / 2)
    whole = sympy.integrate(weight, (r, 0, sympy.oo))
    first, second = (sympy.integrate(r**k * weight, (r, 0, sympy.oo)) / whole for k in (1, 2))
    mean, std = theory.normal_norm(size)
    assert mean == pytest.approx(float(first), rel=1e-12)
    assert std == pytest.approx(float(sympy.sqrt(second - first**2)), rel=1e-9)


@pytest.mark.parametrize("name", theory.PRIORS)
def test_the_share_beyond_a_threshold_is_that_of_draws(name: str):
    variance, fourth = theory.PRIORS[name]
    noise = torch.Generator().manual_seed(0)
    latents = priors.load(name).sample(400_000, 10, noise)
    sums = (latents * 0.02 * torch.randn(400_000, 10, generator=noise)).sum(1)
    threshold = 2 * theory.projection_variance(10, variance) ** 0.5
    share = theory.share_beyond(threshold, theory.projection_variance(10, variance), 10, fourth)
    measured = float((sums.abs() > threshold).double().mean())
    assert abs(measured - share) < 4 * (share / 400_000) ** 0.5 + 0.01 * share


def test_at_unit_gain_normal_latents_saturate_tanh(figures: dict[str, Measured]):
    """Sweep the gain: at 1 the text is right, and with the usual weights nothing saturates."""
    share = {prior: figures[f"saturated-100-{prior}"].value for prior in theory.PRIORS}
    slope = {prior: figures[f"slope-100-{prior}"].value for prior in theory.PRIORS}
    assert share["normal"] > 0.015 > 0.003 > share["uniform"]
    assert slope["normal"] + 0.08 < slope["uniform"] < 0.95
    slopes = [figures[f"slope-{round(100 * gain)}-normal"].value for gain in gains.GAINS]
    assert slopes == sorted(slopes, reverse=True), "more gain, more saturation"
    assert figures["usual-lost"].value < 1e-4


def test_a_unit_gain_keeps_the_scale_of_the_maps():
    """Compare the mean square behind every layer with 1: borders lose some."""
    generator = untrained("none", SETTINGS.model_copy(update={"width": 16}), 0, 0)
    gains.set_gain(generator, 1.0)
    noise = torch.Generator().manual_seed(0)
    latents = priors.load("normal").sample(64, generator.latent_size, noise)
    layers = [*activation_modules(generator, "relu"), generator.output]
    squares = [float(maps.detach().square().mean()) for maps in entering(generator, layers, latents)]
    assert squares[0] == pytest.approx(1.0, rel=0.1)
    assert all(0.5 < square < 1.3 for square in squares)


def test_verdict(figures: dict[str, Measured]):
    assert verdicts(figures.values()) == {
        "variance": "holds",
        "tails": "fails",
        "preactivation": "holds with limits",
        "variety": "holds with limits",
        "saturation": "holds with limits",
    }


@pytest.mark.parametrize(
    ("name", "of", "planted"),
    [
        ("PRIORS", "variance", {"normal": (1 / 3, 3.0), "uniform": (1.0, 1.8)}),
        ("projection_variance", "preactivation", lambda size, variance: size * 0.02**2 / variance),
        ("share_beyond", "saturation", lambda threshold, variance, size, fourth: 0.5),
    ],
)
def test_a_wrong_formula_turns_the_verdict(monkeypatch: pytest.MonkeyPatch, name: str, of: str, planted):
    monkeypatch.setattr(theory, name, planted)
    assert verdicts(bench(**FEW).values())[of] == "fails"


def test_a_wider_prior_turns_the_verdict(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(
        uniform, "sample", lambda num, size, noise: 4 * torch.rand(num, size, generator=noise) - 2
    )
    found = verdicts(bench(**FEW).values())
    assert found["variance"] == found["variety"] == found["saturation"] == "fails"


def test_heavy_tails_turn_the_verdict(monkeypatch: pytest.MonkeyPatch):
    """Draw normal components of unequal size, with the same variance."""

    def sample(num: int, size: int, noise: torch.Generator) -> torch.Tensor:
        large = torch.rand(num, size, generator=noise) < 0.5
        return torch.randn(num, size, generator=noise) * torch.where(large, 1.3, 0.557)

    monkeypatch.setattr(normal, "sample", sample)
    assert verdicts(bench(**FEW).values())["tails"] == "holds"


def test_a_norm_that_keeps_the_scale_lifts_the_limit(monkeypatch: pytest.MonkeyPatch):
    class Centred(nn.BatchNorm2d):
        def forward(self, input: torch.Tensor) -> torch.Tensor:
            return input - input.mean((0, 2, 3), keepdim=True)

    monkeypatch.setattr(batch, "normalise", lambda layer, channels, dims: [layer, Centred(channels)])
    assert bench(**FEW)["behind-norm-ratio"].agrees


def test_in_situ(short_training: Training):
    figures, _ = in_situ.in_situ(live(short_training), SETTINGS, 0)
    found = by_key(figures)
    ways = [found[f"middle-spread-{way}"].value for way in ("lerp", "slerp")]
    assert ways[0] < 0.9 < ways[1]


def test_without_a_norm_the_claim_is_held_to_the_error_of_its_latents(
    monkeypatch: pytest.MonkeyPatch, short_training: Training
):
    """Give the ratio an interval over seeds, since it scatters with few components."""
    unnormed = live(short_training).variant({"generator.normalisation": "none"})

    def seen(seed: int) -> Measured:
        return by_key(in_situ.in_situ(unnormed, SETTINGS, seed)[0])["live-ratio"]

    found = merged([seen(seed) for seed in range(4)])
    assert found.role == "claim" and found.agrees and found.dof == 3
    sample = uniform.sample
    monkeypatch.setattr(uniform, "sample", lambda *given: 2**0.5 * sample(*given))
    assert merged([seen(seed) for seed in range(4)]).departs


@pytest.mark.parametrize(
    ("field", "value"), [("latent_size", 0), ("threshold", -1), ("width", 0), ("networks", 1)]
)
def test_what_means_nothing_is_refused(field: str, value: float, short_training: Training):
    with pytest.raises(UsageError, match=field):
        perform("latent-prior", {field: value}, on=short_training)


def test_two_components_make_a_laplace_distribution():
    """Multiply two normal vectors of two components: P(abs(a) > t) = exp(-t sqrt(2) / std)."""
    assert theory.share_beyond(0.1, 0.04, 2, 3.0) == pytest.approx(math.exp(-0.1 * 2**0.5 / 0.2), rel=1e-4)


def test_few_latents_of_which_none_is_far_refute_nothing():
    """Take settings with which no pre-activation of two networks was beyond the threshold."""
    few = {"latent_size": 3, "threshold": 0.111, "networks": 2, "latents": 16, "draws": 1_000}
    assert verdicts(bench(**few).values())["saturation"] != "fails"
    figures = toy._beyond(
        torch.zeros(12, 2), SETTINGS.model_copy(update={"latent_size": 100, "threshold": 0.1})
    )
    assert verdicts(figures)["saturation"] == "fails", "but a share of 0 where it is 0.6 does"
