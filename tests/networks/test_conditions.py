"""Classes in both networks: against the plain networks, against their formula, and where they are missing."""

import numpy as np
import pytest
import torch
from torch import nn

from ganzfeld.errors import UsageError
from ganzfeld.geometry import plan
from ganzfeld.networks import Discriminator, Generator, initialise

pytestmark = pytest.mark.machine

WAYS = ["projection", "concatenation"]
LABELS = torch.tensor([2, 0, 1, 2])


def judge(**choices) -> Discriminator:
    network = Discriminator(plan(16), width=4, **choices).double()
    initialise(network, 1)
    return network


def vectors_of(network: Discriminator) -> torch.Tensor:
    """Those of the classes, (classes, size)."""
    assert network.condition is not None
    return network.condition.vectors.weight.detach()


@torch.no_grad()
def take_over(told: nn.Module, plain: nn.Module) -> None:
    """Copy the weights of a network without classes; what only the other has becomes zero."""
    for weight in told.parameters():
        weight.zero_()
    weights = dict(told.named_parameters())
    for name, weight in plain.named_parameters():
        weights[name][tuple(map(slice, weight.shape))] = weight


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("normalisation", ["none", "batch", "layer"])
def test_a_discriminator_whose_classes_say_nothing_is_a_plain_one(way, normalisation):
    plain = judge(normalisation=normalisation)
    told = judge(normalisation=normalisation, classes=way, num_classes=3)
    take_over(told, plain)
    images = torch.randn(4, 3, 16, 16).double()
    torch.testing.assert_close(told(images, LABELS), plain(images))


def test_a_generator_whose_classes_say_nothing_is_a_plain_one():
    plain, told = (
        Generator(plan(16), width=4, latent_size=5, num_classes=number, class_size=size).double()
        for number, size in ((0, 0), (3, 7))
    )
    initialise(plain, 1)
    take_over(told, plain)
    latents = torch.randn(4, 5).double()
    torch.testing.assert_close(told(latents, LABELS), plain(latents))


def test_projection_is_miyatos():
    network = judge(classes="projection", num_classes=3)
    images = torch.randn(4, 3, 16, 16).double()
    features = network.layers(images).flatten(1).detach().numpy()
    weight, bias = (network.state_dict()[f"logit.{name}"].numpy() for name in ("weight", "bias"))
    vectors = vectors_of(network).numpy()
    wanted = np.einsum("bn,bn->b", features, weight + vectors[LABELS.numpy()]) + bias
    np.testing.assert_allclose(network(images, LABELS).detach().numpy(), wanted, rtol=1e-10)


def test_at_first_the_class_is_heard_and_far_below_the_latent():
    generator = Generator(plan(16), width=8, latent_size=64, num_classes=3, class_size=32)
    initialise(generator, 0)
    latents = torch.randn(256, 64)
    with torch.no_grad():
        first, second = (generator(latents, torch.full((256,), label)) for label in (0, 1))
    by_class, by_latent = (first - second).square().mean(), (first - first.roll(1, 0)).square().mean()
    assert 1e-3 < by_class / by_latent < 2e-2, "32 numbers of a hundredth of the power of 64 others"


def test_initial_vectors_are_of_the_size_of_what_they_stand_beside():
    deviations = {way: float(vectors_of(judge(classes=way, num_classes=400)).std()) for way in WAYS}
    assert deviations == {
        "projection": pytest.approx(0.02, rel=0.1),
        "concatenation": pytest.approx(1, rel=0.1),
    }


@pytest.mark.parametrize("way", WAYS)
def test_spectral_normalisation_reaches_the_vectors_of_the_discriminator(way):
    network = judge(classes=way, num_classes=5, normalisation="spectral").eval()
    assert float(torch.linalg.matrix_norm(vectors_of(network), 2)) == pytest.approx(1, rel=1e-2)
    generator = Generator(plan(16), width=4, normalisation="spectral", num_classes=5, class_size=8)
    assert generator.classes is not None
    assert not torch.nn.utils.parametrize.is_parametrized(generator.classes), "an input, as latents are"


def test_labels_that_are_missing_or_too_many_are_told():
    for network, given in (
        (Generator(plan(8), width=2, latent_size=4, num_classes=3, class_size=2), torch.randn(4, 4)),
        (judge(classes="projection", num_classes=3), torch.randn(4, 3, 16, 16).double()),
    ):
        assert len(network(given, LABELS)) == 4
        with pytest.raises(UsageError, match="has 3 classes, but no labels were given"):
            network(given)
    with pytest.raises(UsageError, match="has no classes"):
        judge()(torch.randn(4, 3, 16, 16).double(), LABELS)
