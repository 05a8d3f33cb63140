"""Saturated output values of the live generator, through which no gradient flows back.

An unbounded output never saturates and has no readings.
"""

import torch
from torch import Tensor, nn

from ganzfeld.health.probe import ProbeContext
from ganzfeld.networks.outputs import AcrossChannels

PASSES = True

NAMES = {
    "saturated": "Share of the live generator's output values at which the derivative of its output"
    " activation is below 1e-3, so that nothing can be learned there: 0 to 1.",
    "saturated_real": "Share of the values of real images that are as extreme, for comparison: 0 to 1.",
    "stuck": "Probability, at a random position and channel, that all images of 32 latents are saturated to"
    " the same side while a real image is not: 0 to 1.",
}

NO_GRADIENT = 1e-3


def read(probe: ProbeContext) -> dict[str, Tensor]:
    """Return all readings, or none for an output that is unbounded or unknown."""
    output = probe.generator.output
    bounds = None if output is None or isinstance(output, AcrossChannels) else _bounds(output)
    if bounds is None:
        return {}
    low, high = bounds
    images, real = probe.generator_trace.output, probe.real
    stuck = torch.stack([_stuck(images <= low, real <= low), _stuck(images >= high, real >= high)])
    return {
        "saturated": _share((images <= low) | (images >= high)),
        "saturated_real": _share((real <= low) | (real >= high)),
        "stuck": stuck.sum(),
    }


def _share(marks: Tensor) -> Tensor:
    return marks.float().mean()


def _stuck(images: Tensor, real: Tensor) -> Tensor:
    return (images.all(0) * (1 - real.float().mean(0))).mean()


def _bounds(output: nn.Module) -> tuple[float, float] | None:
    """Return the bounds beyond which the derivative stays below ``NO_GRADIENT``; None if it never does.

    They are computed on the CPU, to avoid waiting for the device.
    """
    with torch.enable_grad():
        given = torch.linspace(-20, 20, 40_001, dtype=torch.float64).requires_grad_()
        values = output(given)
        (slope,) = torch.autograd.grad(values.sum(), given)
    values, flat = values.detach(), slope < NO_GRADIENT
    if max(float(slope[0]), float(slope[-1])) >= NO_GRADIENT:
        return None
    return float(values[flat & (given < 0)].max()), float(values[flat & (given > 0)].min())
