"""Features of the discriminator: pooled maps of all layers, as documented, whatever its kind."""

from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

import ganzfeld as gz
from ganzfeld.errors import UsageError
from ganzfeld.geometry import plan
from ganzfeld.inside.attributes import values_of
from ganzfeld.inside.features import pooled_features, pooled_shapes, random_discriminator
from ganzfeld.networks import Discriminator
from ganzfeld.networks.conditions import conditions
from ganzfeld.networks.feature_maps import feature_maps, layer_names
from ganzfeld.networks.normalisations import normalisations
from ganzfeld.output import Mark, mark_of, marked


def discriminator(normalisation: str = "none", classes: str = "none", channels: int = 3) -> Discriminator:
    torch.manual_seed(0)
    num_classes = 0 if classes == "none" else 3
    made = Discriminator(
        plan(16),
        channels=channels,
        width=4,
        normalisation=normalisation,
        classes=classes,
        num_classes=num_classes,
    )
    return made.eval().requires_grad_(False)


@pytest.mark.parametrize("classes", conditions.names())
@pytest.mark.parametrize("normalisation", normalisations.names())
def test_features_are_the_largest_values_of_4x4_cells(normalisation: str, classes: str):
    network = discriminator(normalisation, classes)
    images = torch.randn(3, 3, 16, 16)
    layers = layer_names(network)
    values = pooled_features(network, images, layers)
    by_hand, inputs = [], images
    if classes == "concatenation":
        assert network.condition is not None
        mean = network.condition.vectors.weight.mean(0)
        inputs = torch.cat((images, mean[None, :, None, None].expand(3, -1, 16, 16)), 1)
    for number, layer in enumerate(network.layers):
        inputs = layer(inputs)
        if number:
            cells = inputs.shape[-1] // 4
            by_hand.append(inputs.unflatten(3, (4, cells)).unflatten(2, (4, cells)).amax((3, 5)).flatten(1))
    torch.testing.assert_close(values, torch.cat(by_hand, 1))
    shapes = pooled_shapes(network, layers)
    assert shapes == ((4, 4, 4), (8, 4, 4)) and values.shape[1] == sum(map(np.prod, shapes))
    assert torch.equal(pooled_features(network, images, ["layer-2"]), values[:, 64:])


def test_maps_of_a_class_differ_from_those_without():
    network, images = discriminator(classes="concatenation"), torch.randn(2, 3, 16, 16)
    without = feature_maps(network, images)[0]
    assert not torch.allclose(without, feature_maps(network, images, torch.tensor([0, 1]))[0])


def test_the_file_is_what_the_page_says(run: gz.Run, class_folders: Path, tmp_path: Path):
    """Three lines of scikit-learn, on images whose classes are colours."""
    features = gz.features(run, [class_folders / "by class"])
    path = tmp_path / "features.npz"
    path.write_bytes(marked(features.npz(), Mark.FEATURES))
    assert mark_of(path) == Mark.FEATURES

    with np.load(path) as file:
        data = dict(file)
    model = LogisticRegression(max_iter=1000).fit(data["features"][::2], data["labels"][::2])
    assert model.score(data["features"][1::2], data["labels"][1::2]) > 0.9

    assert data["features"].dtype == np.float32 and len(data["places"]) == 60
    assert data["layers"].tolist() == list(features.layers)
    assert int(data["shapes"].prod(1).sum()) == data["features"].shape[1]
    assert set(data["labels"].tolist()) == {"red", "blue"}
    last = features.maps(features.layers[-1])
    assert np.array_equal(last.reshape(60, -1), data["features"][:, -last[0].size :])
    with pytest.raises(UsageError, match="unknown layer") as caught:
        features.maps("layer-9")
    assert "Did you mean" in caught.value.hint


def test_without_images_those_of_the_run_are_taken(run: gz.Run):
    features = gz.features(run, layers=["layer-1"])
    assert features.layers == ("layer-1",) and features.labels is None
    pixels = gz.open_images(str(run.metadata.data), size=16, progress=False).batch(np.arange(200))
    expected = pooled_features(run.discriminator, values_of(pixels), ["layer-1"])
    torch.testing.assert_close(torch.from_numpy(features.values), expected, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("which", ["run", "conditional_run"])
def test_a_random_discriminator_has_the_same_geometry(which: str, request: pytest.FixtureRequest):
    run: gz.Run = request.getfixturevalue(which)
    pixels = run.sample(8)
    state = torch.random.get_rng_state()
    random = random_discriminator(run, pixels)
    assert torch.equal(torch.random.get_rng_state(), state), "the user's random state is left alone"
    layers = layer_names(random)
    assert pooled_shapes(random, layers) == pooled_shapes(run.discriminator, layers)
    ours, theirs = (
        pooled_features(network, values_of(pixels), layers) for network in (run.discriminator, random)
    )
    assert not torch.allclose(ours, theirs)
    assert torch.equal(theirs, pooled_features(random_discriminator(run, pixels), values_of(pixels), layers))
