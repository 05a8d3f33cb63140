"""Discriminators with strides and with pooling, of equal parameters, and one that loses border pixels."""

import copy
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from ganzfeld.geometry import Layer, Plan
from ganzfeld.lab.language import say
from ganzfeld.networks import Discriminator, initialise

Make = Callable[[nn.Conv2d, tuple[int, int], tuple[int, int]], nn.Module]
"""Makes the replacement of a strided convolution, from it and the sizes of its maps, large and small."""

RATE = 1e-3
BATCH = 32
FURTHEST_PX = 3


def strided(layer: nn.Conv2d, large: tuple[int, int], small: tuple[int, int]) -> nn.Module:
    """Return the convolution itself."""
    return layer


def _pooled(pool: type[nn.AvgPool2d] | type[nn.MaxPool2d]) -> Make:
    """Build the same kernel with stride 1, then a pool of one stride: the same parameters and sizes."""

    def make(layer: nn.Conv2d, large: tuple[int, int], small: tuple[int, int]) -> nn.Module:
        sides = []
        axes = zip(large, small, layer.kernel_size, layer.stride, strict=True)
        for before, after, side, step in reversed(list(axes)):
            missing = step * after + side - 1 - before
            sides += [missing // 2, missing - missing // 2]
        kernel = (layer.kernel_size[0], layer.kernel_size[1])
        fine = nn.Conv2d(layer.in_channels, layer.out_channels, kernel)
        stride = (layer.stride[0], layer.stride[1])
        return nn.Sequential(nn.ZeroPad2d(tuple(sides)), fine, pool(stride, stride))

    return make


class Downsampler(NamedTuple):
    """A way to shrink maps: its name for people, and the function that makes it."""

    name: str
    make: Make


KINDS = {
    "stride": Downsampler(say("stride"), strided),
    "average-pooling": Downsampler(say("average pooling"), _pooled(nn.AvgPool2d)),
    "maximum-pooling": Downsampler(say("maximum pooling"), _pooled(nn.MaxPool2d)),
}
"""By key in figures. The others are compared with the first."""


def put(discriminator: Discriminator, make: Make) -> None:
    """Replace every convolution of a discriminator; norms and activations stay."""
    rungs = iter(discriminator.plan.layers[::-1])
    for index, block in enumerate(discriminator.layers):
        inside: Any = block if isinstance(block, nn.Sequential) else discriminator.layers
        place = 0 if isinstance(block, nn.Sequential) else index
        if isinstance(inside[place], nn.Conv2d):
            rung = next(rungs)
            large, small = (rung.large[0], rung.large[1]), (rung.small[0], rung.small[1])
            inside[place] = make(inside[place], large, small)


def of_kind(like: Discriminator, make: Make, seed: int) -> Discriminator:
    """Copy a discriminator with its convolutions replaced, initialised from a seed."""
    discriminator = copy.deepcopy(like).float()
    put(discriminator, make)
    initialise(discriminator, seed)
    return discriminator


def blind_plan(size: tuple[int, ...]) -> Plan:
    """Plan layers of k=2, s=2 that end in k=3, s=2 without padding, whose remainder loses a cell.

    Sizes are halved exactly down to an even one of at most 10; the last becomes floor((N - 3) / 2) + 1.
    """
    layers, large = [], size
    while max(large) > 10:
        small = tuple(side // 2 for side in large)
        layers.append(Layer(small, large, (2,) * len(size), (2,) * len(size), (0,) * len(size)))
        large = small
    last = tuple((side - 3) // 2 + 1 for side in large)
    layers.append(Layer(last, large, (3,) * len(size), (2,) * len(size), (0,) * len(size)))
    return Plan(tuple(layers[::-1]))


def blind_discriminator(size: tuple[int, ...], channels: int, architecture: dict[str, Any]) -> Discriminator:
    """Build a discriminator with the layers of ``blind_plan``."""
    return Discriminator(blind_plan(size), channels=channels, **architecture)


def loss_on_new_images(
    discriminator: Discriminator, real: Tensor, fake: Tensor, steps: int, noise: torch.Generator
) -> float:
    """Train a discriminator to tell fixed fakes from real images, and return its cross-entropy on new images,
    in nats per image.

    It is trained on the first three quarters of ``real`` and of ``fake``, (N, C, H, W).
    """
    num_train = 3 * len(real) // 4

    def loss(real: Tensor, fake: Tensor) -> Tensor:
        of_real, of_fake = discriminator(torch.cat((real, fake))).split((len(real), len(fake)))
        return (functional.softplus(-of_real).mean() + functional.softplus(of_fake).mean()) / 2

    adam = torch.optim.Adam(discriminator.parameters(), lr=RATE, betas=(0.5, 0.99))
    for _ in range(steps):
        chosen = torch.randint(num_train, (2, BATCH // 2), generator=noise)
        _descend(adam, loss(real[chosen[0]], fake[chosen[1]]))
    with torch.no_grad():
        return float(loss(real[num_train:], fake[num_train:]))


def shift_error(discriminator: Discriminator, real: Tensor, steps: int, noise: torch.Generator) -> float:
    """Train a network of the same layers to estimate the shift of an image, and return its root mean square
    error on new images, px.

    In place of the logit it gives two numbers, the shift along each axis, uniform up to ``FURTHEST_PX``. Rows
    and columns that leave on one side enter on the other. Always estimating 0 gives an error of 2 px.
    """
    logit: Any = discriminator.logit
    head = nn.Linear(logit.in_features, 2)
    with torch.no_grad():
        head.weight.copy_(torch.randn(head.weight.shape, generator=noise) * 0.02)
        head.bias.zero_()
    num_train = 3 * len(real) // 4

    def error(images: Tensor) -> Tensor:
        by = torch.randint(-FURTHEST_PX, FURTHEST_PX + 1, (len(images), 2), generator=noise)
        pairs = zip(images, by.tolist(), strict=True)
        shifted = torch.stack([image.roll(shift, (1, 2)) for image, shift in pairs])
        return (head(discriminator.layers(shifted).flatten(1)) - by).square().mean()

    adam = torch.optim.Adam([*discriminator.layers.parameters(), *head.parameters()], lr=RATE)
    for _ in range(steps):
        _descend(adam, error(real[torch.randint(num_train, (BATCH,), generator=noise)]))
    with torch.no_grad():
        return float(error(real[num_train:]).sqrt())


def _descend(optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
