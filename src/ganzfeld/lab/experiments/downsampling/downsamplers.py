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
PROBE_PX = 8
RIDGE = 0.01
"""The weight of the ridge, over the mean squared length of the features."""


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


def of_kind(like: Discriminator, make: Make, seed: int, images: Tensor | None = None) -> Discriminator:
    """Copy a discriminator with its convolutions replaced, initialised from a seed.

    With ``images`` the output of every layer is scaled to a standard deviation of 1 on them. Pooling changes
    the size of signals; with the same initial weights it would be compared at another speed of learning.
    """
    discriminator = copy.deepcopy(like).float()
    put(discriminator, make)
    initialise(discriminator, seed)
    if images is not None:
        equalise(discriminator, images)
    return discriminator


@torch.no_grad()
def equalise(discriminator: Discriminator, images: Tensor) -> None:
    """Scale the weights of each layer, the first one first, so that its output on ``images`` has a standard
    deviation of 1 (Mishkin & Matas 2016).

    What constrains weights by itself, such as a spectral norm, keeps them as they are.
    """
    layers = [module for module in discriminator.modules() if isinstance(module, nn.Conv2d | nn.Linear)]
    for layer in layers:
        if nn.utils.parametrize.is_parametrized(layer):
            continue
        outputs: list[Tensor] = []
        hook = layer.register_forward_hook(lambda module, inputs, output, kept=outputs: kept.append(output))
        discriminator(images)
        hook.remove()
        layer.weight /= outputs[0].std().clamp_min(1e-6)


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


@torch.no_grad()
def share_lost(discriminator: Discriminator, images: Tensor) -> float:
    """Return the share of the variance of new images that a linear probe cannot predict from the features.

    The images are reduced to ``PROBE_PX`` x ``PROBE_PX`` px, and the features are what enters the last layer.
    The probe is a ridge regression on the first three quarters of ``images`` (N, C, H, W); it measures what a
    discriminator keeps of where things are, and not how fast it learns.
    """
    small = functional.adaptive_avg_pool2d(images, PROBE_PX).flatten(1).double()
    features = discriminator.layers(images).flatten(1).double()
    num_train = 3 * len(images) // 4
    mean, spread = features[:num_train].mean(0), features[:num_train].std(0).clamp_min(1e-9)
    features, wanted = (features - mean) / spread, small - small[:num_train].mean(0)
    train, new = features[:num_train], features[num_train:]
    kernel = train @ train.T
    kernel += RIDGE * kernel.trace() / num_train * torch.eye(num_train, dtype=torch.double)
    predicted = new @ train.T @ torch.linalg.solve(kernel, wanted[:num_train])
    return float((wanted[num_train:] - predicted).square().sum() / wanted[num_train:].square().sum())


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
