"""Ways to upsample a map, and the checkerboard of images, measured at the harmonics of the stride."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from ganzfeld.lab.language import say
from ganzfeld.networks import Generator

NEIGHBOURS = (2, 3, 4, 5)
"""Distances of the frequencies beside a harmonic, in periods per image. Nearer ones still hold power of the
harmonic itself, because of the window.
"""

Make = Callable[[int, int], nn.Module]
"""Makes a layer from its input and output channels; it multiplies H by the stride, so it fits a generator."""


def transposed(kernel: int, stride: int) -> Make:
    """Make a transposed convolution to exactly ``stride`` times the size, cropped as evenly as possible."""
    padding = max(0, math.ceil((kernel - stride) / 2))
    extra = stride - kernel + 2 * padding

    def make(inputs: int, outputs: int) -> nn.Module:
        return nn.ConvTranspose2d(inputs, outputs, kernel, stride, padding, output_padding=extra)

    return make


def resized(stride: int) -> Make:
    """Make nearest-neighbour upsampling, then a 3x3 convolution (Odena, Dumoulin & Olah 2016)."""

    def make(inputs: int, outputs: int) -> nn.Module:
        return nn.Sequential(nn.Upsample(scale_factor=stride), nn.Conv2d(inputs, outputs, 3, padding=1))

    return make


class LowPass(nn.Module):
    """A mean over ``stride`` x ``stride`` pixels, whose response is zero at every harmonic of the stride."""

    def __init__(self, stride: int) -> None:
        super().__init__()
        self.stride = stride

    def forward(self, maps: Tensor) -> Tensor:
        """Average (B, C, H, W) to the same shape; the first row and column are repeated beyond the border."""
        beyond = self.stride - 1
        padded = functional.pad(maps, (beyond, 0, beyond, 0), mode="replicate")
        return functional.avg_pool2d(padded, self.stride, stride=1)


def smoothed(kernel: int, stride: int) -> Make:
    """Make a transposed convolution, then a low pass."""

    def make(inputs: int, outputs: int) -> nn.Module:
        return nn.Sequential(transposed(kernel, stride)(inputs, outputs), LowPass(stride))

    return make


@dataclass(frozen=True)
class Upsampler:
    """A way to upsample: its ``key`` in figures, its ``name`` for people.

    ``kernel`` is the kernel size of a plain transposed convolution, None for any other layer.
    """

    key: str
    name: str
    make: Make
    stride: int
    kernel: int | None = None

    @property
    def overlaps(self) -> bool:
        """Whether it is a plain transposed convolution whose projective fields overlap."""
        return self.kernel is not None and self.kernel > self.stride


def kinds(kernel: int, stride: int) -> list[Upsampler]:
    """List the kinds that are compared: the plain layer with that kernel, plain layers with other kernels
    (one as large as the stride), a low pass, and a resize with a convolution.
    """
    kernels = dict.fromkeys((kernel, stride + 1, stride))
    plain = [
        Upsampler(f"k{k}-s{stride}", f"k={k} s={stride}", transposed(k, stride), stride, k) for k in kernels
    ]
    return [
        *plain,
        Upsampler("low-pass", say("low pass after it"), smoothed(kernel, stride), stride),
        Upsampler("resize", say("resize, convolve"), resized(stride), stride),
    ]


def put(generator: Generator, make: Make) -> None:
    """Replace the upsampling of every layer of a generator; the norms and activations stay."""
    last = len(generator.layers) - 1
    for index, layer in enumerate(generator.layers):
        inside = generator.layers if index == last else layer
        assert isinstance(inside, nn.Sequential)
        place = index if index == last else 0
        old = inside[place]
        assert isinstance(old, nn.ConvTranspose2d)
        inside[place] = make(old.in_channels, old.out_channels)


def covered(size: int, kernel: int, stride: int, padding: int, extra: int = 0) -> Tensor:
    """Count the inputs that reach each output along one axis, by a transposed convolution of ones."""
    ones = torch.ones(1, 1, kernel, dtype=torch.double)
    maps = torch.ones(1, 1, size, dtype=torch.double)
    return functional.conv_transpose1d(maps, ones, None, stride, padding, extra)[0, 0]


def power_at(images: Tensor, frequencies: Sequence[float]) -> Tensor:
    """Return the mean power (F,) over both axes at frequencies in periods per pixel, with a Hann window."""
    total = torch.zeros(len(frequencies), dtype=torch.double)
    for axis in (2, 3):
        along = images.double().movedim(axis, -1)
        size = along.shape[-1]
        angles = 2 * math.pi * torch.outer(torch.arange(size).double(), torch.tensor(frequencies).double())
        windowed = ((along - along.mean(-1, keepdim=True)) * torch.hann_window(size)).reshape(-1, size)
        waves = windowed @ torch.cat((angles.cos(), angles.sin()), 1)
        total += waves.square().mean(0).view(2, -1).sum(0)
    return total / 2


def checkerboard(images: Tensor, stride: int) -> float:
    """Return log10 of the power of images at the harmonics of a stride over the power beside them, 0 for no
    pattern.

    It is the mean over the harmonics m/s, 0 < m <= s/2. Source: Odena, Dumoulin & Olah 2016 show the pattern;
    its spectrum has power at these frequencies alone.
    """
    size = min(images.shape[2:])
    excesses = []
    for harmonic in (m / stride for m in range(1, stride // 2 + 1)):
        steps = (distance / size for distance in NEIGHBOURS)
        beside = {harmonic + sign * step for step in steps for sign in (-1, 1)}
        beside = {
            min(frequency, 1 - frequency) for frequency in beside if 1 / size <= frequency <= 1 - 1 / size
        }
        power = power_at(images, [harmonic, *sorted(beside)])
        excesses.append(float((power[0] / power[1:].mean()).log10()))
    return float(np.mean(excesses))
