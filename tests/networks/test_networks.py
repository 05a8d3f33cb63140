"""Both networks: counts, shapes, where normalisation goes, how weights begin."""

from typing import cast

import pytest
import torch
from torch import Tensor, nn

from ganzfeld.errors import UsageError
from ganzfeld.geometry import plan
from ganzfeld.networks import Discriminator, Generator, initialise
from ganzfeld.networks.initialisations import initialisations, passed_by
from ganzfeld.recipes import read_recipe

pytestmark = pytest.mark.machine


def num_parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def test_the_classical_counts():
    recipe = read_recipe("radford2015")
    generator = Generator(plan(64), **recipe.generator.architecture)
    discriminator = Discriminator(plan(64), **recipe.discriminator.architecture)
    assert num_parameters(generator) == 3_576_704
    assert num_parameters(discriminator) == 2_765_568


def test_the_classical_layers_in_their_order():
    recipe = read_recipe("radford2015")
    generator = Generator(plan(64), **recipe.generator.architecture)
    inner = [nn.ConvTranspose2d, nn.BatchNorm2d, nn.ReLU]
    is_made_of(generator, [nn.Linear, nn.BatchNorm2d, nn.ReLU, *inner * 3, nn.ConvTranspose2d, nn.Tanh])
    discriminator = Discriminator(plan(64), **recipe.discriminator.architecture)
    inner = [nn.Conv2d, nn.BatchNorm2d, nn.LeakyReLU]
    is_made_of(discriminator, [nn.Conv2d, nn.LeakyReLU, *inner * 3, nn.Linear])


def is_made_of(network: nn.Module, kinds: list[type[nn.Module]]) -> None:
    leaves = [module for module in network.modules() if not list(module.children())]
    assert len(leaves) == len(kinds)
    assert all(isinstance(leaf, kind) for leaf, kind in zip(leaves, kinds, strict=True))


@pytest.mark.parametrize("size", [28, (33, 47), (96, 160), (20,), (8, 12, 16), 9])
def test_the_discriminator_mirrors_the_generator(size):
    ladder = plan(size, dims=None if isinstance(size, int) else len(size))
    generator = Generator(ladder, width=2, latent_size=3, channels=1)
    discriminator = Discriminator(ladder, width=2, channels=1)
    maps = []
    for layer in discriminator.layers.modules():
        if isinstance(layer, nn.Conv1d | nn.Conv2d | nn.Conv3d):
            layer.register_forward_hook(lambda module, given, out: maps.append(tuple(out.shape[2:])))
    images = generator(torch.randn(2, 3))
    assert tuple(images.shape) == (2, 1, *ladder.size)
    assert discriminator(images).shape == (2,)
    assert maps == [layer.small for layer in ladder.layers[::-1]]
    assert not any(isinstance(module, nn.MaxPool2d | nn.AvgPool2d) for module in discriminator.modules())


def test_the_seed_texts_discriminator():
    ladder = plan(96, ladder=[96, 32, 16, 8, 3])
    discriminator = Discriminator(ladder, width=4)
    assert discriminator.logit.in_features == 32 * 3 * 3
    assert discriminator(torch.randn(2, 3, 96, 96)).shape == (2,)


def test_spectral_normalisation_reaches_every_layer():
    discriminator = Discriminator(plan(16), width=4, normalisation="spectral")
    layers = [module for module in discriminator.modules() if isinstance(module, nn.Conv2d | nn.Linear)]
    assert len(layers) == 3
    assert all(nn.utils.parametrize.is_parametrized(layer, "weight") for layer in layers)
    initialise(discriminator, 0)
    discriminator.eval()
    for layer in layers:
        assert float(torch.linalg.matrix_norm(layer.weight.detach().flatten(1), 2)) == pytest.approx(
            1, rel=1e-2
        )


def test_no_bias_before_a_learnt_shift():
    generator = Generator(plan(16), width=4, normalisation="batch", bias=True)
    convolutions = [module for module in generator.modules() if isinstance(module, nn.ConvTranspose2d)]
    assert [layer.bias is not None for layer in convolutions] == [False, True]


@pytest.mark.parametrize("normalisation", ["batch", "spectral", "none"])
def test_initial_weights_are_a_function_of_the_seed(normalisation):
    def built(seed: int) -> Generator:
        network = Generator(plan(32), width=16, normalisation=normalisation)
        initialise(network, seed)
        return network

    weights = [
        torch.cat([w.detach().flatten() for w in built(seed).parameters() if w.dim() > 1])
        for seed in (3, 3, 4)
    ]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])
    assert float(weights[0].std()) == pytest.approx(0.02, rel=0.02)
    assert abs(float(weights[0].mean())) < 1e-3


@pytest.mark.parametrize("normalisation", ["batch", "layer", "group"])
def test_gains_are_drawn_and_change_no_other_weight(normalisation):
    plain, drawn = (Generator(plan(64), width=16, normalisation=normalisation) for _ in range(2))
    initialise(plain, 1)
    initialise(drawn, 1, gain_deviation=0.02)
    gains = []
    for (name, before), (_, after) in zip(plain.named_parameters(), drawn.named_parameters(), strict=True):
        if torch.equal(before, torch.ones_like(before)) and before.dim() == 1:
            gains.append(after.detach())
        else:
            assert torch.equal(before, after), name
    together = torch.cat(gains)
    assert len(gains) == 4 and len(together) == 240
    assert float(together.mean()) == pytest.approx(1, abs=0.005)
    assert float(together.std()) == pytest.approx(0.02, rel=0.15)


def test_the_output_is_float32_under_autocast():
    """In bfloat16 the gradient of tanh would be exactly zero from 3.47 on."""
    generator = Generator(plan(8), width=4)
    with torch.autocast("cpu", torch.bfloat16):
        assert generator(torch.randn(4, 100)).dtype == torch.float32


def test_slope_out_of_range():
    with pytest.raises(UsageError, match="slope"):
        Generator(plan(8), slope=1.5)


def test_slope_reaches_both_networks():
    for network in (
        Generator(plan(8), activation="leaky-relu", slope=0.3),
        Discriminator(plan(8), activation="leaky-relu", slope=0.3),
    ):
        slopes = [module.negative_slope for module in network.modules() if isinstance(module, nn.LeakyReLU)]
        assert slopes and set(slopes) == {0.3}


class TestInitialisations:
    @pytest.mark.parametrize("name", initialisations.names())
    def test_draws_what_the_entry_says(self, name: str):
        network = nn.Sequential(nn.Conv1d(8, 32, 24, 4), nn.ConvTranspose2d(64, 16, 4, 2), nn.Linear(500, 40))
        initialise(network, 0, initialisation=name, passed=0.5)
        fans = ((8 * 24, 32 * 6), (64 * 4, 16 * 16), (500, 40))
        for layer, (fan_in, fan_out) in zip(network, fans, strict=True):
            weight = cast(Tensor, layer.weight)
            expected = initialisations.load(name).deviation(fan_in, fan_out, 0.5)
            assert float(weight.detach().std()) == pytest.approx(expected, rel=0.05)

    def test_normal_is_what_it_always_was(self):
        network = nn.Linear(50, 40)
        initialise(network, 3)
        drawn = torch.randn(40, 50, generator=torch.Generator().manual_seed(3)) * 0.02
        assert torch.equal(network.weight, drawn)

    def test_he_keeps_the_logits_of_deep_ladders_alive_and_normal_does_not(self):
        """The blocker of data along one axis: with N(0, 0.02) the losses stand at ln 2."""
        spreads = {}
        for name in ("normal", "he"):
            discriminator = Discriminator(plan((4096,), dims=1), channels=4, width=4)
            initialise(discriminator, 0, initialisation=name, passed=passed_by("leaky-relu", 0.2))
            with torch.no_grad():
                noise = torch.randn(32, 4, 4096, generator=torch.Generator().manual_seed(1))
                spreads[name] = float(discriminator(noise).std())
        assert spreads["normal"] < 1e-6 and 0.05 < spreads["he"] < 5

    def test_what_passes_an_activation(self):
        assert passed_by("relu", 0.2) == pytest.approx(0.5, abs=1e-3)
        assert passed_by("leaky-relu", 0.2) == pytest.approx(0.52, abs=1e-3)
