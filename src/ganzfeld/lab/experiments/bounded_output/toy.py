"""The bench of ``bounded-output``: output activations in each format, and pixels that learn."""

import math
from typing import Any

import torch
from torch import Tensor

from ganzfeld.lab.experiments.bounded_output import Settings, theory
from ganzfeld.lab.language import say
from ganzfeld.lab.layers import slope_of
from ganzfeld.lab.outcome import Measured, claim, largest_error, limit, shown
from ganzfeld.networks.outputs import outputs

LARGEST = 32.0
"""The largest pre-activation that is tried; beyond it, tanh is 1 in every format here."""


def bench(settings: Settings, seed: int, thorough: bool) -> tuple[list[Measured], dict[str, Any]]:
    """Measure the slopes of output activations in each format, and pixels that learn."""
    inputs = torch.linspace(-settings.reach, settings.reach, settings.pixels, dtype=torch.float64)
    exact = torch.tensor([theory.tanh_slope(a) for a in inputs.tolist()], dtype=torch.float64)
    by_format, slopes = _in_formats(inputs, settings.reach)
    trained, moved = _trained_pixels(settings)
    data = {
        "inputs": inputs.tolist(),
        "exact": exact.tolist(),
        "slopes": slopes,
        "ends": {name: theory.end_of_slope(precision) for name, precision in theory.PRECISIONS.items()},
        "moved": moved,
    }
    return [*_in_float64(inputs, exact, settings.reach), *by_format, *trained], data


def _in_float64(inputs: Tensor, exact: Tensor, reach: float) -> list[Measured]:
    """Compare the slopes of tanh and clip in float64 with their formulas."""
    measured = slope("tanh", inputs)
    expected = torch.tensor([theory.clip_slope(a) for a in inputs.tolist()], dtype=torch.float64)
    return [
        largest_error(
            "tanh-slope-float64",
            say("slope of tanh in float64, largest error of 1 - tanh^2"),
            measured - exact,
            of="tanh",
            tolerance=1e-14,
        ),
        shown(
            "log-slope-at-1000",
            say("logarithm of tanh's slope at 1000, in real numbers"),
            theory.log_tanh_slope(1e3),
            math.log(4) - 2e3,
            part="closed form",
            tolerance=1e-9,
        ),
        claim(
            "tanh-lost-float64",
            say("share of inputs up to {reach:g} at which tanh has no gradient, float64", reach=reach),
            float((measured == 0).double().mean()),
            0.0,
            of="tanh",
        ),
        largest_error(
            "clip-slope",
            say("slope of clip, largest difference from 1 inside and 0 outside"),
            slope("clip", inputs) - expected,
            of="clip",
            tolerance=0.0,
        ),
    ]


def _in_formats(inputs: Tensor, reach: float) -> tuple[list[Measured], dict[str, list[float]]]:
    """Measure the slope of tanh in each format, and from where it is exactly 0."""
    figures, slopes = [], {}
    for name, precision in theory.PRECISIONS.items():
        measured = slope("tanh", inputs.to(precision))
        slopes[name] = measured.double().tolist()
        figures += [
            limit(
                f"tanh-lost-{name}",
                say(
                    "share of inputs up to {reach:g} at which tanh has no gradient, {name}",
                    reach=reach,
                    name=name,
                ),
                float((measured == 0).double().mean()),
                0.0,
                of="tanh",
            ),
            shown(
                f"tanh-end-{name}",
                say("input from which tanh's gradient is exactly 0, {name}", name=name),
                first_without_slope(precision),
                theory.end_of_slope(precision),
                tolerance=0.01,
            ),
        ]
    return figures, slopes


def slope(output: str, at: Tensor) -> Tensor:
    """Return the slope of an output activation of the catalogue, in the precision of ``at``."""
    return slope_of(outputs.load(output).output(), at)


def first_without_slope(precision: torch.dtype) -> float:
    """Return the smallest number of a format above which autograd's tanh has no gradient, at either sign.

    Every number from 2 to 32 is tried; in float32 only those from 8 to 16.
    """
    width = {4: torch.int32, 2: torch.int16}[precision.itemsize]
    between = (8.0, 16.0) if precision == torch.float32 else (2.0, LARGEST)
    first, last = (int(torch.tensor(edge, dtype=precision).view(width)) for edge in between)
    numbers = torch.arange(first, last, dtype=width).view(precision)
    has_slope = (slope("tanh", numbers) != 0) | (slope("tanh", -numbers) != 0)
    return float(numbers[int(has_slope.nonzero().max()) + 1])


def _trained_pixels(settings: Settings) -> tuple[list[Measured], dict[str, Any]]:
    """Pull pixels, each with its own pre-activation, to one value by gradient descent."""
    start = torch.linspace(1.05, 6.0, settings.pixels)
    figures, moved = [], {"from": start.tolist()}
    for output, expected in (("tanh", 1.0), ("clip", 0.0)):
        at = start.clone()
        module = outputs.load(output).output()
        for _ in range(settings.steps):
            at.requires_grad_()
            loss = 0.5 * (module(at) - settings.target).square().sum()
            (gradient,) = torch.autograd.grad(loss, at)
            at = (at - settings.rate * gradient).detach()
        moved[output] = module(at).tolist()
        share = float((at != start).double().mean())
        figures.append(
            claim(
                f"moved-{output}",
                say(
                    "share of saturated pixels that {steps} steps move at all, {output}",
                    steps=settings.steps,
                    output=output,
                ),
                share,
                expected,
                of={"tanh": "corrected", "clip": "stuck"}[output],
            )
        )
        near = float(((module(at) - settings.target).abs() < 0.1).double().mean())
        figures.append(
            shown(
                f"near-{output}",
                say(
                    "share of saturated pixels that {steps} steps bring within 0.1, {output}",
                    steps=settings.steps,
                    output=output,
                ),
                near,
            )
        )
    return figures, moved
