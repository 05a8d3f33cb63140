"""Output values from which no gradient comes back, in images of the live generator.

An output without bounds never saturates, and is not read.
"""

import torch
from torch import Tensor, nn

from ganzfeld.health.probe import ProbeContext

PASSES = True

NAMES = {
    "saturated": "Share of the live generator's output values at which the derivative of its output"
    " activation is below 1e-3, and nothing can be learnt: 0 to 1.",
    "saturated_real": "Share of the values of real images that are as extreme: what is right; 0 to 1.",
    "stuck": "The chance that the generator, at a random place and channel, is saturated to one side for 32"
    " latents while a real image is not: 0 to 1.",
}

NO_GRADIENT = 1e-3


def read(probe: ProbeContext) -> dict[str, Tensor]:
    """All three, or none without bounds."""
    bounds = _bounds(probe.generator.output)
    if bounds is None:
        return {}
    low, high = bounds
    images, real = probe.generated.output, probe.real
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
    """From which values on, down and up, the derivative stays below ``NO_GRADIENT``; None if it never does.

    Found on the processor, where nothing waits for the device.
    """
    with torch.enable_grad():
        given = torch.linspace(-20, 20, 40_001, dtype=torch.float64).requires_grad_()
        values = output(given)
        (slope,) = torch.autograd.grad(values.sum(), given)
    values, flat = values.detach(), slope < NO_GRADIENT
    if max(float(slope[0]), float(slope[-1])) >= NO_GRADIENT:
        return None
    return float(values[flat & (given < 0)].max()), float(values[flat & (given > 0)].min())
