"""Instance norms: their gradient is right in every memory layout, also for a batch of one image."""

import copy

import pytest
import torch
from torch import Tensor, nn

from ganzfeld.geometry import plan
from ganzfeld.networks import Discriminator, Generator
from ganzfeld.networks.layout import lay_out
from ganzfeld.networks.normalisations import instance

CONTIGUOUS, LAST, LAST_3D = torch.contiguous_format, torch.channels_last, torch.channels_last_3d


def norm_of(dims: int) -> nn.Module:
    _, norm = instance.normalise(nn.Identity(), 8, dims)
    weight, bias = norm.parameters()
    nn.init.uniform_(weight, 0.5, 2)
    nn.init.normal_(bias)
    return norm


def gradients(norm: nn.Module, images: Tensor, coming: Tensor) -> list[Tensor]:
    """The gradients of the images, the weight and the bias, where ``coming`` is that of the output."""
    images = images.detach().requires_grad_(True)
    return list(torch.autograd.grad(norm(images), [images, *norm.parameters()], coming))


def worst(gradients: list[Tensor], expected: list[Tensor]) -> float:
    return max(
        float((ours.double() - theirs).norm() / theirs.norm())
        for ours, theirs in zip(gradients, expected, strict=True)
    )


@pytest.mark.parametrize("num", [1, 2, 5])
@pytest.mark.parametrize("coming_last", [False, True])
@pytest.mark.parametrize("images_last", [False, True])
@pytest.mark.parametrize("dims", [1, 2, 3])
def test_gradient_is_that_of_float64(dims: int, images_last: bool, coming_last: bool, num: int):
    norm, shape = norm_of(dims), (num, 8, *(6, 5, 4)[:dims])
    images, coming = torch.randn(shape), torch.randn(shape)
    expected = gradients(copy.deepcopy(norm).double(), images.double(), coming.double())
    last = {1: CONTIGUOUS, 2: LAST, 3: LAST_3D}[dims]
    images = images.contiguous(memory_format=last if images_last else CONTIGUOUS)
    coming = coming.contiguous(memory_format=last if coming_last else CONTIGUOUS)
    assert worst(gradients(norm, images, coming), expected) < 1e-5


@pytest.mark.parametrize("dims", [1, 2, 3])
@pytest.mark.parametrize("num", [1, 3])
def test_output_is_that_of_torch_to_the_last_bit(dims: int, num: int):
    norm = norm_of(dims)
    usual = {1: nn.InstanceNorm1d, 2: nn.InstanceNorm2d, 3: nn.InstanceNorm3d}[dims](8, affine=True)
    usual.load_state_dict(norm.state_dict())
    images = torch.randn(num, 8, *(6, 5, 4)[:dims])
    assert torch.equal(norm(images), usual(images))
    assert isinstance(norm, type(usual))


@pytest.mark.parametrize("num", [1, 2])
def test_training_with_one_image(num: int):
    """Both networks as training lays them out, in channels last: each weight against float64.

    The gradient of torch's SiLU keeps the channels-last layout, that of its ReLU does not.
    """
    architecture = {"width": 8, "normalisation": "instance", "activation": "silu"}
    generator = Generator(plan(16), channels=3, latent_size=8, **architecture)
    discriminator = Discriminator(plan(16), channels=3, **architecture)
    latents = torch.randn(num, 8)

    def of(generator: nn.Module, discriminator: nn.Module, latents: Tensor) -> list[Tensor]:
        weights = [*generator.parameters(), *discriminator.parameters()]
        loss = nn.functional.softplus(-discriminator(generator(latents))).mean()
        found = torch.autograd.grad(loss, weights)
        return [each for each in found if float(each.abs().max()) > 1e-7]  # a bias before a norm has none

    expected = of(
        lay_out(copy.deepcopy(generator).double(), channels_last=False),
        lay_out(copy.deepcopy(discriminator).double(), channels_last=False),
        latents.double(),
    )
    ours = of(lay_out(generator), lay_out(discriminator), latents)
    assert worst(ours, expected) < 1e-4
