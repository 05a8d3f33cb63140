"""The mathematics of walks, sums and directions, on generators whose answers are known."""

from pathlib import Path

import numpy as np
import pytest
import torch

from ganzfeld.data.source import Entry
from ganzfeld.data.sources._face_attributes import ATTRIBUTES, face_attributes
from ganzfeld.data.sources.faces import FacesSource
from ganzfeld.errors import UsageError
from ganzfeld.geometry import plan
from ganzfeld.inside import LatentModel
from ganzfeld.inside.arithmetic import expected_codes, sum_of
from ganzfeld.inside.attributes import AttributeTable, attributes_of_words
from ganzfeld.inside.directions import attribute_directions, leading_eigenvectors
from ganzfeld.inside.jacobian import jacobian, mean_square_jacobian
from ganzfeld.inside.success import interval, measure_success, overall
from ganzfeld.inside.walk import _Part, _shared_out
from ganzfeld.latent import priors
from ganzfeld.networks import Generator, initialise
from ganzfeld.networks.normalisations import normalisations
from tests.inside.toys import LATENT, linear, toy, two_attributes

pytestmark = pytest.mark.machine


class TestJacobian:
    @pytest.mark.parametrize("normalisation", normalisations.names())
    def test_agrees_with_finite_differences(self, normalisation: str):
        generator = Generator(plan(8), width=4, latent_size=5, normalisation=normalisation, activation="silu")
        initialise(generator, 0)
        generator = generator.double().eval().requires_grad_(False)
        model, latent, step = LatentModel(generator, "normal"), torch.randn(5).double(), 1e-5
        rows = jacobian(model, latent)
        for row, axis in zip(rows, torch.eye(5).double(), strict=True):
            ends = model.values(torch.stack((latent + step * axis, latent - step * axis)))
            torch.testing.assert_close(row, (ends[0] - ends[1]).flatten() / (2 * step), atol=1e-7, rtol=1e-5)

    def test_depends_on_the_class(self):
        generator = Generator(plan(8), width=4, latent_size=5, num_classes=2, class_size=8)
        initialise(generator, 0)
        model = LatentModel(generator.eval().requires_grad_(False), "normal")
        first, second = (jacobian(model, torch.ones(5), label) for label in (0, 1))
        assert not torch.allclose(first, second)

    def test_a_latent_of_one_component(self):
        assert jacobian(toy(linear(torch.ones(1, 768)), latent_size=1), torch.ones(1)).shape == (1, 768)

    def test_the_mean_square_of_a_linear_map(self):
        weights = torch.randn(LATENT, 768).double()
        mean = mean_square_jacobian(toy(linear(weights)), torch.randn(3, LATENT).double())
        torch.testing.assert_close(mean, weights @ weights.T / 768)

    def test_the_strongest_directions_come_first(self):
        axes = torch.linalg.qr(torch.randn(LATENT, LATENT).double())[0]
        matrix = axes @ torch.diag(torch.tensor([1.0, 5, 3, 2, 0.5, 4]).double()) @ axes.T
        values, vectors = leading_eigenvectors(matrix, 2)
        torch.testing.assert_close(values, torch.tensor([5.0, 4]).double())
        for vector, axis in zip(vectors, (axes[:, 1], axes[:, 5]), strict=True):
            assert float((vector @ axis).abs()) == pytest.approx(1)
            assert vector[vector.abs().argmax()] > 0, "the sign is fixed"


class TestSteps:
    def part(self, prior: str = "normal") -> _Part:
        """An image that changes at once in the middle of the path, and hardly elsewhere."""
        model = toy(
            lambda latents: torch.tanh(6 * latents[:, :1])[..., None, None].expand(-1, 3, 16, 16), prior
        )
        start = torch.full((LATENT,), -0.9)
        return _Part(model, start, -start + 0.1 * torch.arange(LATENT) - 0.3, None)

    @pytest.mark.parametrize("num", [2, 7, 40])
    def test_are_even(self, num: int):
        part = self.part("uniform")
        before, after = (
            part.steps(shares) for shares in (torch.linspace(0, 1, num + 1), part.even_shares(num))
        )
        assert len(after) == num
        assert after.max() / after.min() < 1.1
        assert num < 5 or before.max() / before.min() > 5, "what a straight walk would do"

    def test_begin_and_end_exactly(self):
        part = self.part()
        walked = part.latents(part.even_shares(9))
        assert torch.equal(walked[0], part.start) and torch.equal(walked[-1], part.end)

    def test_images_that_do_not_change_are_spaced_evenly(self):
        part = _Part(
            toy(lambda latents: torch.zeros(len(latents), 3, 16, 16)), -torch.ones(6), torch.ones(6), None
        )
        assert torch.allclose(part.even_shares(4), torch.linspace(0, 1, 5).double())

    def test_are_shared_out_by_length(self):
        assert _shared_out([1.0, 3.0], 8) == [2, 6]
        assert _shared_out([0.0, 5.0, 0.1], 5) == [1, 3, 1]


class TestSums:
    @pytest.mark.parametrize("prior", priors.names())
    def test_are_as_long_as_a_draw(self, prior: str):
        model = toy(two_attributes, prior, 100)
        groups = [(sign, model.latents(range(10 * at, 10 * at + 10))) for at, sign in enumerate((1, -1, 1))]
        total = sum_of(model, groups)
        usual = priors.load(prior).variance(100) ** 0.5 * 10
        assert float(total.norm()) == pytest.approx(usual, rel=0.08), "bounds may cut a little"
        assert torch.allclose(model.onto(total[None])[0], total, atol=1e-5)

    def test_exchange_attributes(self):
        """Red on the left, minus blue on the left, plus blue on the right: red on the right."""
        model, latents = toy(two_attributes), torch.randn(3000, LATENT)
        is_red, is_left = latents[:, 0] > 0.2, latents[:, 1] > 0.2
        is_blue, is_right = latents[:, 0] < -0.2, latents[:, 1] < -0.2
        groups = [latents[mask][:5] for mask in (is_red & is_left, is_blue & is_left, is_blue & is_right)]
        total = sum_of(model, list(zip((1, -1, 1), groups, strict=True)))
        image = model.values(total[None])[0]
        assert image[0].mean() > image[2].mean() + 0.5, "red"
        assert image[:, :, 8:].mean() > image[:, :, :8].mean() + 0.2, "right"

    @pytest.mark.parametrize(
        ("signs", "groups", "expected"),
        [
            ([1, -1, 1], [[[1, 5]], [[1, 6]], [[2, 6]]], [2, 5]),
            ([1, -1, 1], [[[1]], [[1]], [[1]]], [1]),
            ([1, -1, 1], [[[1]], [[2]], [[3]]], [None]),
            ([1, -1], [[[1]], [[1]]], [None]),
            ([1, 1], [[[1]], [[1]]], [1]),
            ([1], [[[1], [2]]], [None]),
            ([1], [[[1], [2], [2]]], [2]),
        ],
    )
    def test_what_they_should_show(self, signs, groups, expected):
        assert expected_codes(signs, [np.array(group) for group in groups]) == expected


class TestDirections:
    def test_follow_one_attribute_and_leave_the_other(self):
        """The slopes of both values lean on component 2 as well, which is no way to change one alone."""
        latents = torch.randn(4000, LATENT)
        codes = torch.stack((latents[:, 0] + latents[:, 2] > 0, latents[:, 1] + latents[:, 2] > 0), 1)
        table = AttributeTable(("first", "second"), (("no", "yes"), ("no", "yes")), codes.long().numpy())
        directions = attribute_directions(latents, table.codes, table)
        assert torch.allclose(directions.norm(dim=1), torch.ones(4))
        assert torch.allclose(directions[0], -directions[1], atol=1e-4), "two values: opposite directions"
        toward = directions[1]
        assert float(toward[0] + toward[2]) > 0.5
        assert abs(float(toward[1] + toward[2])) < 0.25 * float(toward[0] + toward[2]), "the second stays"

    def test_one_attribute_alone(self):
        latents = torch.randn(4000, LATENT)
        codes = (latents[:, 3] > 0).long()[:, None].numpy()
        directions = attribute_directions(latents, codes, AttributeTable(("only",), (("no", "yes"),), codes))
        assert float(directions[1, 3]) > 0.99

    def test_success_and_what_else_changes(self):
        before = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 1, 1]])
        after = np.array([[1, 0, 0], [1, 1, 1], [0, 1, 1], [1, 0, 0]])
        counts = measure_success(before, after, 0, 1)
        success, collateral = (overall([counts], part) for part in ("success", "collateral"))
        assert success is not None and collateral is not None
        assert success.value == pytest.approx(2 / 3), "the second image had the value before"
        assert collateral.value == pytest.approx(3 / 6)
        assert success.low < success.value < success.high
        alone = measure_success(before[:, :1], after[:, :1], 0, 1)
        assert interval(alone, "collateral") is None and overall([alone], "collateral") is None
        assert interval(measure_success(before + 1, after, 0, 1), "success") is not None

    def test_an_interval_knows_that_few_latents_prove_little(self):
        before, after = np.zeros((4, 1), int), np.ones((4, 1), int)
        success = interval(measure_success(before, after, 0, 1), "success")
        assert success is not None
        assert (success.value, success.high) == (1, 1) and success.low == pytest.approx(0.51, abs=0.01), (
            "Wilson"
        )


def test_attributes_in_words():
    table = attributes_of_words([{"a": "x", "b": "2"}, {"a": "y", "b": "2"}, {"a": "x", "b": "1"}])
    assert table.all_values == ["a=x", "a=y", "b=1", "b=2"]
    assert table.codes.tolist() == [[0, 1], [1, 1], [0, 0]]
    assert table.indicators(table.codes).tolist() == [[1, 0, 0, 1], [0, 1, 0, 1], [1, 0, 1, 0]]


def test_attributes_of_a_face_are_those_it_is_drawn_with():
    source = FacesSource(Path("faces"))
    first, second = face_attributes(source.style, [0, 1])
    assert len(first) == len(second) == len(ATTRIBUTES) == 10
    assert first["skin"] == "#c68e7a" and first["mouth"] == "laugh" and first["beard"] == "fullBeard"
    svg = source.read(Entry("face 0", 0, 0, locator=0)).decode()
    assert all(f"{first[name]}-" in svg for name in ("mouth", "beard", "eyes", "hair", "clothes"))
    assert first != second


@pytest.mark.parametrize("of", ["cats", 0])
def test_a_class_of_a_model_without_classes(of):
    with pytest.raises(UsageError, match="no classes"):
        toy(two_attributes).label(of)
