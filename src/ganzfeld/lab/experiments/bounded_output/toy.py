"""The bench of ``bounded-output``: output activations in each format, and pixels that learn."""

import math
from typing import Any

import torch
from torch import Tensor

from ganzfeld.lab.experiments.bounded_output import Settings, theory
from ganzfeld.lab.layers import slope_of
from ganzfeld.lab.outcome import Measured, claim, limit, shown
from ganzfeld.networks.outputs import outputs

LARGEST = 32.0
"""Pre-activations are looked at up to this; beyond, no format here has a tanh below 1."""


def bench(settings: Settings, seed: int, thorough: bool) -> tuple[list[Measured], dict[str, Any]]:
    """Measure the slopes of output activations in each format, and pixels that learn."""
    reach, figures = settings.reach, []
    inputs = torch.linspace(-reach, reach, settings.pixels, dtype=torch.float64)
    exact = torch.tensor([theory.tanh_slope(a) for a in inputs.tolist()], dtype=torch.float64)
    measured = slope("tanh", inputs)
    away = float((measured - exact).abs().max())
    figures.append(
        claim(
            "tanh-slope-float64",
            "slope of tanh in float64, away from 1 - tanh^2",
            away,
            0.0,
            0.0,
            of="tanh",
            tolerance=1e-14,
        )
    )
    figures.append(
        shown(
            "log-slope-at-1000",
            "logarithm of tanh's slope at 1000, in real numbers",
            theory.log_tanh_slope(1e3),
            0.0,
            math.log(4) - 2e3,
            part="closed form",
            tolerance=1e-9,
        )
    )
    lost = float((measured == 0).double().mean())
    figures.append(
        claim(
            "tanh-lost-float64",
            f"inputs up to {reach:g} at which tanh has no gradient, float64",
            lost,
            0.0,
            0.0,
            of="tanh",
        )
    )
    wanted = torch.tensor([theory.clip_slope(a) for a in inputs.tolist()], dtype=torch.float64)
    away = float((slope("clip", inputs) - wanted).abs().max())
    figures.append(
        claim("clip-slope", "slope of clip, away from 1 inside and 0 outside", away, 0.0, 0.0, of="clip")
    )
    slopes = {}
    for name, precision in theory.PRECISIONS.items():
        inside = slope("tanh", inputs.to(precision))
        lost = float((inside == 0).double().mean())
        slopes[name] = inside.double().tolist()
        figures.append(
            limit(
                f"tanh-lost-{name}",
                f"inputs up to {reach:g} at which tanh has no gradient, {name}",
                lost,
                0.0,
                0.0,
                of="tanh",
            )
        )
        end = first_without_slope(precision)
        figures.append(
            shown(
                f"tanh-end-{name}",
                f"tanh's gradient is exactly 0 from, {name}",
                end,
                0.0,
                theory.end_of_slope(precision),
                tolerance=0.01,
            )
        )
    taught, moved = _taught(settings)
    ends = {name: theory.end_of_slope(precision) for name, precision in theory.PRECISIONS.items()}
    data = {
        "inputs": inputs.tolist(),
        "exact": exact.tolist(),
        "slopes": slopes,
        "ends": ends,
        "moved": moved,
    }
    return [*figures, *taught], data


def slope(output: str, at: Tensor) -> Tensor:
    """Return the slope of an output activation of the catalogue, in the precision of ``at``."""
    return slope_of(outputs.load(output).output(), at)


def first_without_slope(precision: torch.dtype) -> float:
    """Return the smallest number of a format from which on autograd's tanh has no gradient, at either sign.

    Every number from 2 to 32 is tried, in float32 those from 8 to 16 only.
    """
    width = {4: torch.int32, 2: torch.int16}[precision.itemsize]
    between = (8.0, 16.0) if precision == torch.float32 else (2.0, LARGEST)
    first, last = (int(torch.tensor(edge, dtype=precision).view(width)) for edge in between)
    numbers = torch.arange(first, last, dtype=width).view(precision)
    some = (slope("tanh", numbers) != 0) | (slope("tanh", -numbers) != 0)
    return float(numbers[int(some.nonzero().max()) + 1])


def _taught(settings: Settings) -> tuple[list[Measured], dict[str, Any]]:
    """Pull pixels, each with a pre-activation of its own, to one value by gradient descent."""
    begun = torch.linspace(1.05, 6.0, settings.pixels)
    figures, moved = [], {"from": begun.tolist()}
    for output, expected in (("tanh", 1.0), ("clip", 0.0)):
        at = begun.clone()
        module = outputs.load(output).output()
        for _ in range(settings.steps):
            at.requires_grad_()
            loss = 0.5 * (module(at) - settings.target).square().sum()
            (gradient,) = torch.autograd.grad(loss, at)
            at = (at - settings.rate * gradient).detach()
        moved[output] = module(at).tolist()
        share = float((at != begun).double().mean())
        figures.append(
            claim(
                f"moved-{output}",
                f"saturated pixels that {settings.steps} steps move at all, {output}",
                share,
                0.0,
                expected,
                of=output,
            )
        )
        near = float(((module(at) - settings.target).abs() < 0.1).double().mean())
        figures.append(
            shown(
                f"near-{output}",
                f"saturated pixels that {settings.steps} steps bring within 0.1, {output}",
                near,
            )
        )
    return figures, moved
