"""The checkerboard pattern of transposed convolutions, measured at the harmonics of the stride."""

import math

import torch
from torch import Tensor

from ganzfeld.health.probe import ProbeContext
from ganzfeld.health.watched_networks import WatchedGenerator

PASSES = True

NAMES = {
    "checkerboard": "Log10 of the spectral power of the images of 64 fixed latents at the harmonics of the"
    " last stride, relative to neighbouring frequencies, mean over axes and harmonics; less the same for 64"
    " real images: 0 like the data, 1 ten times as much power.",
}

NEIGHBOURS = (2, 3, 4, 5)
"""Offsets of the neighbouring frequencies, in periods per image. Nearer ones belong to the peak itself, which
the window widens."""

_LEAST = 1e-12
"""Added to every power, since that of images of one colour is 0."""


def read(probe: ProbeContext) -> dict[str, Tensor]:
    """Return the reading, or nothing if no layer has a stride above 1."""
    excesses = [
        _excess(probe.images, axis, frequency) - _excess(probe.real, axis, frequency)
        for axis, stride in enumerate(_last_strides(probe))
        for frequency in (harmonic / stride for harmonic in range(1, stride // 2 + 1))
    ]
    return {"checkerboard": torch.stack(excesses).mean()} if excesses else {}


def _last_strides(probe: ProbeContext) -> list[int]:
    """Return, for each axis, the last stride above 1 before the image; 1 if there is none."""
    if isinstance(probe.generator, WatchedGenerator):
        return list(probe.generator.last_strides)
    layers = probe.generator.plan.layers[::-1]
    axes = range(probe.generator.plan.dims)
    return [next((layer.stride[axis] for layer in layers if layer.stride[axis] > 1), 1) for axis in axes]


def _excess(images: Tensor, axis: int, frequency: float) -> Tensor:
    """Return the log10 power at a frequency (periods per pixel) along an axis, relative to its neighbours."""
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
    """Return the mean power (F,) along the last axis at each frequency, through a Hann window."""
    size, device = along.shape[-1], along.device
    window = torch.hann_window(size, device=device)
    angles = (
        2 * math.pi * torch.outer(torch.arange(size, device=device), torch.tensor(frequencies, device=device))
    )
    windowed = (along * window).reshape(-1, size)
    waves = windowed @ torch.cat((angles.cos(), angles.sin()), 1)
    return waves.square().mean(0).view(2, -1).sum(0) + _LEAST
