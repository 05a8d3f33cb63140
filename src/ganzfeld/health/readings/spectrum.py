"""The pattern that uneven overlap of kernels prints into images, seen at the frequencies of the stride."""

import math

import torch
from torch import Tensor

from ganzfeld.health.probe import ProbeContext

PASSES = True

NAMES = {
    "checkerboard": "Log10 of the power of the images of 64 fixed latents at the harmonics of the last"
    " stride over that at the frequencies beside them, the mean over axes and harmonics, less the same of 64"
    " real images: 0 like the data, 1 ten times as much.",
}

NEIGHBOURS = (2, 3, 4, 5)
"""In units of one period an image; those nearer belong to the harmonic itself, seen through the window."""

_LEAST = 1e-12
"""Is added to every power: that of images of one colour is 0."""


def read(probe: ProbeContext) -> dict[str, Tensor]:
    """Nothing where no layer has a stride."""
    excesses = [
        _excess(probe.images, axis, frequency) - _excess(probe.real, axis, frequency)
        for axis, stride in enumerate(_last_strides(probe))
        for frequency in (harmonic / stride for harmonic in range(1, stride // 2 + 1))
    ]
    return {"checkerboard": torch.stack(excesses).mean()} if excesses else {}


def _last_strides(probe: ProbeContext) -> list[int]:
    """By axis the last stride above 1 on the way to the image; 1 if there is none."""
    layers = probe.generator.plan.layers[::-1]
    axes = range(probe.generator.plan.dims)
    return [next((layer.stride[axis] for layer in layers if layer.stride[axis] > 1), 1) for axis in axes]


def _excess(images: Tensor, axis: int, frequency: float) -> Tensor:
    """Log10 of the power at a frequency (in periods a pixel) along an axis over that beside it."""
    along = images.float().movedim(2 + axis, -1)
    size = along.shape[-1]
    beside = {
        other if other <= 0.5 else 1 - other
        for apart in NEIGHBOURS
        for other in (frequency - apart / size, frequency + apart / size)
        if 1 / size <= other <= 1 - 1 / size
    }
    power = _power(along, [frequency, *sorted(beside)])
    return (power[0] / power[1:].mean()).log10()


def _power(along: Tensor, frequencies: list[float]) -> Tensor:
    """Mean power (F,) of what lies along the last axis, through a Hann window."""
    size, device = along.shape[-1], along.device
    window = torch.hann_window(size, device=device)
    angles = (
        2 * math.pi * torch.outer(torch.arange(size, device=device), torch.tensor(frequencies, device=device))
    )
    windowed = (along * window).reshape(-1, size)
    waves = windowed @ torch.cat((angles.cos(), angles.sin()), 1)
    return waves.square().mean(0).view(2, -1).sum(0) + _LEAST
