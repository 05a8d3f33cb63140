"""Untrained generators on the bench of ``upsampling``: their spectra, and what each kind of layer prints."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ganzfeld.geometry import Layer, Plan, overlap
from ganzfeld.lab.estimate import Estimate, mean_and_error
from ganzfeld.lab.experiments.upsampling import Settings
from ganzfeld.lab.experiments.upsampling.upsamplers import (
    Kind,
    Make,
    checkerboard,
    covered,
    kinds,
    power_at,
    put,
)
from ganzfeld.lab.outcome import Measured, Part, claim, limit, shown
from ganzfeld.networks import Generator, initialise

IMAGE_PX = 64
"""The side of the images of untrained networks, about."""


def _plan(stride: int) -> Plan:
    """Plan layers, each ``stride`` times larger, from a base map of 4 to at most ``IMAGE_PX`` (or one
    layer).
    """
    layers, small = [], 4
    while not layers or small * stride <= IMAGE_PX:
        large = small * stride
        layers.append(Layer((small,) * 2, (large,) * 2, (stride,) * 2, (stride,) * 2, (0, 0)))
        small = large
    return Plan(tuple(layers))


def measured_untrained(settings: Settings, seed: int) -> tuple[list[dict[str, Any]], list[Measured]]:
    """Measure spectra and checkerboards of generators as they are before training, of each kind."""
    stride = settings.stride
    if stride == 1:
        return [], []
    plan, spectra, figures = _plan(stride), [], []
    for kind in kinds(settings.kernel, stride):
        generated = [_untrained_images(plan, kind.make, seed + number) for number in range(settings.networks)]
        mean, error = mean_and_error(torch.tensor([checkerboard(images, stride) for images in generated]))
        name = f"untrained, {kind.name}: power at the stride's harmonics over beside, log10"
        figures.append(of_kind(kind, f"untrained-{kind.key}", name, mean, error))
        if kind.kernel is not None:
            figures.append(by_coverage(kind, kind.kernel, generated))
        spectra.append(
            {"name": kind.name, "plain": kind.kernel is not None, **spectrum(torch.cat(generated))}
        )
    return spectra, figures


def by_coverage(kind: Kind, kernel: int, generated: Sequence[Tensor]) -> Measured:
    """Measure what uneven overlap prints on average over all random kernels: the power of its pixels by
    coverage.

    Where all are covered alike, those of the first phase are compared with those of the second. Overlap o
    along each axis lets variances add up, so the closed form is the ratio of the products of overlaps.
    """
    stride, layer = kind.stride, kind.make(1, 1)
    assert isinstance(layer, nn.ConvTranspose2d)
    size = generated[0].shape[2]
    counts = covered(size // stride, kernel, stride, int(layer.padding[0]), int(layer.output_padding[0]))
    inside = torch.arange(size)[2 * kernel : size - 2 * kernel]
    most, least = (inside[counts[inside] == of(counts[inside])] for of in (torch.max, torch.min))
    if torch.equal(most, least):
        most, least = (inside[inside % stride == phase] for phase in (0, 1))
    ratios = []
    for images in generated:
        power = images.double().square().mean((0, 1))
        ratios.append(float((power[most][:, most].mean() / power[least][:, least].mean()).log10()))
    mean, error = mean_and_error(torch.tensor(ratios))
    name = f"untrained, {kind.name}: power of the most over the least covered pixels, log10"
    of_even = claim if len(overlap(kernel, stride)) == 1 else limit
    return of_even(f"untrained-coverage-{kind.key}", name, Estimate(mean, error), 0.0, of="overlap")


@torch.no_grad()
def _untrained_images(plan: Plan, make: Make, seed: int) -> Tensor:
    """Generate 16 images with an untrained generator of one kind of layer."""
    generator = Generator(plan, width=8, latent_size=32, activation="leaky-relu")
    put(generator, make)
    initialise(generator, seed)
    return generator(torch.randn(16, 32, generator=torch.Generator().manual_seed(seed)))


def spectrum(images: Tensor) -> dict[str, list[float]]:
    """Return the power at all frequencies of the grid, over its median."""
    size = min(images.shape[2:])
    frequencies = [period / size for period in range(1, size // 2 + 1)]
    power = power_at(images, frequencies)
    return {"frequency": frequencies, "power": (power / power.median()).tolist()}


def of_kind(
    kind: Kind,
    key: str,
    name: str,
    value: float,
    error: float,
    part: Part = "bench",
    num_trainings: int | None = None,
) -> Measured:
    """Build the figure of a checkerboard, of which the claim expects none where kernels overlap; elsewhere it
    expects nothing.
    """
    if kind.overlaps:
        return limit(
            key, name, Estimate(value, error), 0.0, of="overlap", part=part, num_trainings=num_trainings
        )
    return shown(key, name, Estimate(value, error), part=part, num_trainings=num_trainings)
