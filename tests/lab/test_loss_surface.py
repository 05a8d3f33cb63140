"""The surface of the loss with and without norms: closed forms, measures of known surfaces, and verdicts."""

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from ganzfeld.errors import UsageError
from ganzfeld.lab import Measured, Training, live, run
from ganzfeld.lab.estimate import Estimate, mean_and_error
from ganzfeld.lab.experiments.loss_surface import SHORT, SIDES, Settings, theory, toy
from ganzfeld.lab.experiments.loss_surface.figure import draw as drawing
from ganzfeld.lab.experiments.loss_surface.figures import OF, figure_of
from ganzfeld.lab.experiments.loss_surface.live import in_situ
from ganzfeld.lab.experiments.loss_surface.pairs import ACTIVATION, LOSS, draw, game_of, learned
from ganzfeld.lab.experiments.loss_surface.surface import (
    LENGTHS,
    MEASURES,
    Landscape,
    compared,
    landscape_of,
    moved,
)
from ganzfeld.lab.language import say
from ganzfeld.lab.outcome import Outcome, by_key
from ganzfeld.networks.activations import activations
from ganzfeld.networks.normalisations import batch
from tests.lab.verdicts import verdicts

SETTINGS = Settings(**SHORT)


def test_the_figure_says_whose_networks_a_row_shows():
    course = {measure: [[1.0, 2.0], [3.0, 4.0]] for measure in MEASURES}
    courses = dict.fromkeys(SIDES, course)
    data = {"courses": courses, "live_courses": courses, "looks": [0, 7], "live_looks": [0, 512]}
    data |= {"rates": [1.0, 5.0], "losses": {side: [[1.0, 2.0], [3.0, 4.0]] for side in SIDES}}
    figure = drawing(Outcome("loss-surface", {}, 0, (), say(""), data, {}))
    labels = [axes.get_ylabel() for axes in figure.axes if axes.get_ylabel()]
    assert labels == ["toy networks", "live networks"]
    assert [text.get_text() for text in figure.axes[4].get_xticklabels()] == ["0", "512"]


class Bowl(nn.Module):
    """A loss that is a quadratic form of its only weights."""

    def __init__(self, curvatures: list[float]) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1, len(curvatures), dtype=torch.float64))
        self.curvatures = torch.tensor(curvatures, dtype=torch.float64)

    def loss(self) -> Tensor:
        return (self.curvatures * self.weight.square()).sum() / 2


class Two(nn.Module):
    """Two layers of one number each and an activation between them."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(1, 1, bias=False).double(), nn.Linear(1, 1, bias=False).double()
        self.between = activations.load("relu").activation(0.2)
        with torch.no_grad():
            self.first.weight.fill_(3.0)
            self.second.weight.fill_(2.0)

    def forward(self, inputs: Tensor) -> Tensor:
        return self.second(self.between(self.first(inputs)))


def test_a_bowl_has_the_beta_of_its_curvature():
    bowl = Bowl([5.0, 5.0])
    measured = Landscape(bowl, bowl.loss, torch.zeros(0), 0.01, "relu")
    weights = [bowl.weight]
    value, (gradient,) = measured.gradients(weights)
    assert value == 5 and gradient.tolist() == [[5, 5]]
    rows = measured.along(weights, [gradient])
    lengths = [length * 0.01 * math.sqrt(2) for length in LENGTHS]
    betas = [change / length for (_, change), length in zip(rows, lengths, strict=True)]
    assert betas == pytest.approx([5] * 3)
    assert rows[0][0] == pytest.approx(5 * 0.99**2)
    assert torch.equal(bowl.weight.detach(), torch.ones(1, 2).double()), "the weights are put back"


def test_the_shift_of_a_layer_is_that_of_the_layer_below():
    """With loss = second * first * x, the gradient of the second is first * x: it moves as the first does."""
    network, inputs = Two(), torch.tensor([[2.0]], dtype=torch.float64)
    measures = Landscape(network, lambda: network(inputs).sum(), inputs, 0.3, "relu").measure()
    assert measures["shift"] == pytest.approx(0.3 / 3)


def test_weights_come_back_after_an_error():
    weight = torch.ones(3)
    with pytest.raises(ZeroDivisionError), moved([weight], [torch.ones(3)], 0.5):
        assert weight.tolist() == [1.5] * 3
        _ = 1 / 0
    assert weight.tolist() == [1.0] * 3


def test_measuring_changes_no_weight():
    game = game_of("batch", "batch", SETTINGS, 0, 0)
    real, latents = draw(2, torch.Generator().manual_seed(0))
    for side in SIDES:
        network = getattr(game.gan, side)
        before = [weight.clone() for weight in network.parameters()]
        landscape_of(side, game.gan, LOSS, real, latents, 1e-3, ACTIVATION).measure()
        assert all(map(torch.equal, before, network.parameters()))


def test_the_formula_is_the_projection_that_a_batch_norm_makes():
    """Against the Jacobian of the normalisation, number by number."""
    noise = torch.Generator().manual_seed(1)
    maps, gradient = torch.randn(2, 5, 1, generator=noise, dtype=torch.float64)
    deviation = maps.var(0, correction=0).sqrt()
    normalised = (maps - maps.mean(0)) / deviation
    ones = torch.ones(5, 5, dtype=torch.float64)
    projection = torch.eye(5).double() - ones / 5 - normalised @ normalised.T / 5
    expected = (projection @ gradient).square().sum(0) * (2 / deviation) ** 2
    assert torch.allclose(theory.squared_gradient(gradient, normalised, 2.0, deviation), expected)


@pytest.fixture(scope="module")
def figures() -> dict[str, Measured]:
    return by_key(toy.bench(SETTINGS, 0, False)[0])


class TestVerdicts:
    def test_formulas_hold_and_limits_depart(self, figures: dict[str, Measured]):
        assert figures["gradient-formula"].agrees and figures["scale-formula"].agrees
        assert figures["beta-halved"].value == pytest.approx(4, rel=1e-3) and figures["beta-halved"].departs
        assert figures["gradient-enlarged"].departs
        assert toy._enlarged(Settings(deviation=3.0), torch.Generator().manual_seed(0)).agrees

    def test_a_wrong_formula_fails(self, monkeypatch: pytest.MonkeyPatch):
        right = theory.squared_gradient
        monkeypatch.setattr(theory, "squared_gradient", lambda *a: right(*a) * 1.001)
        assert verdicts([toy._gradient_formula(torch.Generator().manual_seed(0))]) == {"smooth": "fails"}

    def test_a_norm_that_divides_by_nothing_is_seen(self, monkeypatch: pytest.MonkeyPatch):
        class Centred(nn.BatchNorm2d):
            def forward(self, input: Tensor) -> Tensor:
                return self.weight[:, None, None] * (input - input.mean((0, 2, 3), keepdim=True))

        monkeypatch.setattr(batch, "normalise", lambda layer, channels, dims: [layer, Centred(channels)])
        noise = torch.Generator().manual_seed(0)
        assert toy._gradient_formula(noise).departs
        assert toy._scaled(noise)[0].departs

    @pytest.mark.parametrize("measure", OF)
    def test_each_sentence_turns_with_what_is_measured(self, measure: str):
        for values, verdict in (((-0.2, -0.3, -0.25, -0.22), "holds"), ((0.2, 0.3, 0.25, 0.22), "fails")):
            estimate = mean_and_error(torch.tensor(values))
            found = [figure_of(measure, side, estimate) for side in SIDES]
            assert verdicts(found) == {OF[measure]: verdict}
        assert verdicts([figure_of(measure, "generator", Estimate(0.1, 0.1, 3))]) == {
            OF[measure]: "not decided"
        }

    def test_speed_turns_with_the_losses(self):
        losses = torch.tensor([[[3.0, 2.0, 1.0], [3.0, 1.5, 4.0]]] * 4) + torch.arange(4).view(4, 1, 1)
        losses = losses + 0.01 * torch.arange(4).view(4, 1, 1) * torch.tensor([[1.0], [2.0]])
        for table, expected in ((losses, "holds"), (losses.flip(1), "fails")):
            assert verdicts(toy._of_speed("generator", table, SETTINGS)) == dict.fromkeys(
                ("faster", "steadier"), expected
            )


def test_the_drift_of_inputs_is_that_of_norms(figures: dict[str, Measured]):
    """With norms only gain and bias move the statistics: the drift is less in every toy network."""
    for side in SIDES:
        assert figures[f"drift-{side}"].value < -0.15


def test_two_equal_networks_have_ratios_of_one():
    row: dict[str, float] = dict.fromkeys(list(MEASURES), 0.3)
    ratios, courses = compared([(row, row), (row, row)])
    assert set(ratios.values()) == {0.0} and courses["beta"] == [[0.3, 0.3]] * 2
    assert compared([(row, {**row, "beta": 3.0})])[0]["beta"] == pytest.approx(-1)


def test_toy_networks_learn():
    frozen = game_of("batch", "none", SETTINGS, 0, 0).gan
    few, many = (
        learned("discriminator", "batch", frozen, 5e-3, SETTINGS.model_copy(update={"steps": steps}), 0)
        for steps in (4, 24)
    )
    assert many < few


def test_live_networks_are_compared_at_every_stage(short_training: Training):
    networks = live(replace(short_training, images=64), progress=False)
    found, data = in_situ(networks, SETTINGS, 0)
    assert [figure.key for figure in found] == [f"live-{m}-{side}" for side in SIDES for m in MEASURES]
    assert all(math.isfinite(figure.value) for figure in found)
    assert len(data["live_courses"]["generator"]["beta"]) == len(networks.stages)


@pytest.mark.parametrize("rate", [0, 1, -1e-3])
def test_a_rate_that_is_none_is_refused(rate: float, short_training: Training):
    with pytest.raises(UsageError, match="rate"):
        run("loss-surface", rate=rate, on=short_training)
