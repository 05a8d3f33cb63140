"""Guided back-propagation by hand, strongest images of units, and filters of the first layer."""

import numpy as np
import pytest
import torch
from torch import nn

import ganzfeld as gz
from ganzfeld.errors import DataError, UsageError
from ganzfeld.geometry import plan
from ganzfeld.inside.feature_sheets import filter_sheet, strongest_sheet
from ganzfeld.inside.guided import first_filters, guided, guided_gradients, strongest_images
from ganzfeld.networks import Discriminator
from ganzfeld.networks.activations import activations
from ganzfeld.networks.normalisations import normalisations


def two_layers(activation: nn.Module) -> nn.Sequential:
    """x -> (x1, -x1 + x2) -> f -> 2 a1 - 3 a2, f -> itself, without biases."""
    first, second = nn.Linear(2, 2, bias=False), nn.Linear(2, 1, bias=False)
    with torch.no_grad():
        first.weight.copy_(torch.tensor([[1.0, 0.0], [-1.0, 1.0]]))
        second.weight.copy_(torch.tensor([[2.0, -3.0]]))
    return nn.Sequential(first, activation, second)


def gradient(network: nn.Module, point: list[float]) -> list[float]:
    inputs = torch.tensor([point], requires_grad=True)
    return torch.autograd.grad(network(inputs).sum(), inputs)[0][0].tolist()


# At (1, 3) both hidden values are positive, 1 and 2; the gradient that arrives is (2, -3). Plain: W' (2, -3).
# At (-1, 3) the first is -1 and the second 4. Guided: (2 f'(a1), 0), since -3 is not passed on.
@pytest.mark.parametrize(
    ("activation", "point", "plain", "by_hand"),
    [
        (nn.ReLU(), [1.0, 3.0], [5.0, -3.0], [2.0, 0.0]),
        (nn.ReLU(), [-1.0, 3.0], [3.0, -3.0], [0.0, 0.0]),
        (nn.LeakyReLU(0.2), [1.0, 3.0], [5.0, -3.0], [2.0, 0.0]),
        (nn.LeakyReLU(0.2), [-1.0, 3.0], [3.4, -3.0], [0.4, 0.0]),
    ],
)
def test_guided_gradients_are_those_computed_by_hand(
    activation: nn.Module, point: list[float], plain: list[float], by_hand: list[float]
):
    network = two_layers(activation)
    assert gradient(network, point) == pytest.approx(plain)
    with guided(network) as number:
        assert number == 1
        assert gradient(network, point) == pytest.approx(by_hand)
    assert gradient(network, point) == pytest.approx(plain), "the hooks are gone"


@pytest.mark.parametrize("name", activations.names())
def test_every_activation_is_guided(name: str):
    """A library that knows only ReLU silently returns the plain gradient for the others."""
    network = two_layers(activations.load(name).activation(0.2))
    with guided(network) as number:
        assert number == 1
        assert gradient(network, [1.0, 3.0])[1] == pytest.approx(0, abs=1e-6), "-3 is not passed on"
    assert gradient(network, [1.0, 3.0])[1] < -1


@pytest.mark.parametrize("normalisation", normalisations.names())
@pytest.mark.parametrize("classes", ["none", "concatenation"])
def test_every_discriminator_has_guided_gradients_of_each_image_alone(normalisation: str, classes: str):
    torch.manual_seed(0)
    network = Discriminator(
        plan(16),
        width=4,
        normalisation=normalisation,
        classes=classes,
        num_classes=3 if classes != "none" else 0,
    )
    network.eval().requires_grad_(False)
    images = torch.randn(3, 3, 16, 16)
    together = guided_gradients(network, images, "layer-2", 5)
    alone = torch.cat([guided_gradients(network, image[None], "layer-2", 5) for image in images])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-4)
    assert together.shape == images.shape and float(together.abs().sum()) > 0


def test_strongest_images_are_those_with_the_largest_values(run: gz.Run):
    result = strongest_images(run, 3, layer="layer-1")
    pixels = gz.open_images(str(run.metadata.data), size=16, progress=False).batch(np.arange(200))
    values = torch.from_numpy(pixels).movedim(-1, 1).float() / 127.5 - 1
    first = run.discriminator.layers[1](run.discriminator.layers[0](values)).flatten(2).amax(2)
    for index, unit in enumerate(result.trained.units):
        expected = first[:, unit].sort(descending=True).values[:8]
        torch.testing.assert_close(
            torch.from_numpy(result.trained.responses[index]), expected, atol=1e-5, rtol=1e-4
        )
        assert np.array_equal(result.trained.images[index], pixels[result.trained.indices[index]])
    assert result.trained.units == (0, 1, 2) and result.num_images == 200
    assert strongest_sheet(result).dtype == np.uint8
    assert "random discriminator" in result.sentence


def test_units_and_layers_are_checked(run: gz.Run):
    with pytest.raises(UsageError, match="no unit 99"):
        strongest_images(run, units=[99], layer="layer-1")
    with pytest.raises(UsageError, match="from 1 to 8"):
        strongest_images(run, 9, layer="layer-1")
    with pytest.raises(UsageError, match="unknown layer") as caught:
        strongest_images(run, layer="layer1")
    assert "Did you mean layer-1" in caught.value.hint


def test_too_few_images_are_refused(run: gz.Run, tmp_path):
    path = tmp_path / "few.npy"
    np.save(path, run.sample(5))
    with pytest.raises(DataError, match="too few"):
        strongest_images(run, images=[path])


@pytest.mark.parametrize("which", ["run", "conditional_run"])
def test_filters_are_the_weights_of_the_first_layer(which: str, request: pytest.FixtureRequest):
    run: gz.Run = request.getfixturevalue(which)
    filters = first_filters(run)
    weight = run.discriminator.layers[0].get_parameter("weight")
    assert np.array_equal(filters.weights, weight.movedim(1, -1)[..., :3].numpy())
    assert "correlate" in filters.sentence
    sheet = filter_sheet(filters)
    assert sheet.dtype == np.uint8 and sheet.shape[2] == 3
