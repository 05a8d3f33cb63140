"""Untrained generators on the bench of ``upsampling``: the spectra of each kind of layer."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ganzfeld.geometry import Layer, Plan, overlap
from ganzfeld.lab.estimate import Estimate, mean_and_error
from ganzfeld.lab.experiments.upsampling import Settings
from ganzfeld.lab.experiments.upsampling.upsamplers import (
    Make,
    Upsampler,
    checkerboard,
    covered,
    kinds,
    power_at,
    put,
)
from ganzfeld.lab.language import say
from ganzfeld.lab.outcome import Measured, Part, claim, limit, shown
from ganzfeld.networks import Generator, initialise

IMAGE_PX = 64
"""The side of the images of untrained generators, or the largest below it that the stride reaches."""


def _plan(stride: int) -> Plan:
    """Plan layers that each multiply the size by ``stride``, from 4 to at most ``IMAGE_PX``, one at least."""
    layers, small = [], 4
    while not layers or small * stride <= IMAGE_PX:
        large = small * stride
        layers.append(Layer((small,) * 2, (large,) * 2, (stride,) * 2, (stride,) * 2, (0, 0)))
        small = large
    return Plan(tuple(layers))


def measured_untrained(settings: Settings, seed: int) -> tuple[list[dict[str, Any]], list[Measured]]:
    """Measure the spectra and checkerboards of untrained generators of each kind of layer."""
    stride = settings.stride
    if stride == 1:
        return [], []
    plan, spectra, figures = _plan(stride), [], []
    for kind in kinds(settings.kernel, stride):
        generated = [_untrained_images(plan, kind.make, seed + number) for number in range(settings.networks)]
        measured = mean_and_error(torch.tensor([checkerboard(images, stride) for images in generated]))
        name = say(
            "untrained, {name}: power at the stride's harmonics over that beside them, log10", name=kind.name
        )
        figures.append(of_kind(kind, f"untrained-{kind.key}", name, measured))
        if kind.kernel is not None and has_interior(kind.kernel, stride, generated[0].shape[2]):
            figures.append(by_coverage(kind, kind.kernel, generated))
        spectra.append(
            {"name": kind.name, "plain": kind.kernel is not None, **spectrum(torch.cat(generated))}
        )
    return spectra, figures


def has_interior(kernel: int, stride: int, size: int) -> bool:
    """Return whether images of ``size`` px have a whole period of the stride that no border reaches."""
    return size - 4 * kernel >= stride


def by_coverage(kind: Upsampler, kernel: int, generated: Sequence[Tensor]) -> Measured:
    """Measure the pattern of uneven overlap on average over random kernels: power of pixels by coverage.

    Where all pixels are covered equally, the first phase is compared with the second. Variances of o
    overlapping inputs add up, so the closed form is the ratio of the products of overlaps.
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
    measured = mean_and_error(torch.tensor(ratios))
    name = say("untrained, {name}: power of the most over the least covered pixels, log10", name=kind.name)
    of_even = claim if len(overlap(kernel, stride)) == 1 else limit
    return of_even(f"untrained-coverage-{kind.key}", name, measured, 0.0, of="checkerboard")


@torch.no_grad()
def _untrained_images(plan: Plan, make: Make, seed: int) -> Tensor:
    """Generate 16 images with an untrained generator of one kind of layer."""
    generator = Generator(plan, width=8, latent_size=32, activation="leaky-relu")
    put(generator, make)
    initialise(generator, seed)
    return generator(torch.randn(16, 32, generator=torch.Generator().manual_seed(seed)))


def spectrum(images: Tensor) -> dict[str, list[float]]:
    """Return the power at all frequencies that the image size resolves, over its median."""
    size = min(images.shape[2:])
    frequencies = [period / size for period in range(1, size // 2 + 1)]
    power = power_at(images, frequencies)
    return {"frequency": frequencies, "power": (power / power.median()).tolist()}


def of_kind(
    kind: Upsampler,
    key: str,
    name: str,
    measured: Estimate,
    part: Part = "bench",
    num_trainings: int | None = None,
) -> Measured:
    """Build the figure of a checkerboard. The claim expects none where kernels overlap; elsewhere it expects
    nothing.
    """
    if kind.overlaps:
        of_claim = claim if kind.kernel is not None else limit
        return of_claim(key, name, measured, 0.0, of="checkerboard", part=part, num_trainings=num_trainings)
    return shown(key, name, measured, part=part, num_trainings=num_trainings)
