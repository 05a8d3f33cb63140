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

FARTHEST = 12.0
"""The largest pre-activation of the pixels that learn."""

STARTS = (3.0, 4.0, 5.0)
"""Pre-activations from which the time of a correction is measured."""

NEAR = theory.NEAR
"""The distance from its target at which a pixel counts as corrected."""

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
    """Pull pixels, each with its own pre-activation, to one value by gradient descent.

    They start beyond the input from which float32's tanh has no gradient, and "can be corrected" is measured
    as the time that it takes, not as a first movement.
    """
    start = torch.linspace(1.05, FARTHEST, settings.pixels)
    figures, moved = [], {"from": start.tolist()}
    for output in ("tanh", "clip"):
        at = start.clone()
        module = outputs.load(output).output()
        for _ in range(settings.steps):
            at = at - settings.rate * _pull(module, at, settings.target)
        moved[output] = module(at).tolist()
        near = float(((module(at) - settings.target).abs() < NEAR).double().mean())
        named = say(
            "share of saturated pixels that {steps} steps bring within 0.1, {output}",
            steps=settings.steps,
            output=output,
        )
        figures.append(shown(f"near-{output}", named, near))
        pulled = float((_pull(module, start, settings.target) != 0).double().mean())
        named = say(
            "share of saturated pixels up to {reach:g} that are pulled at all in float32, {output}",
            reach=FARTHEST,
            output=output,
        )
        if output == "clip":
            figures.append(claim("pulled-clip", named, pulled, 0.0, of="stuck", identity=True))
        else:
            figures.append(limit("pulled-tanh", named, pulled, 1.0, of="corrected"))
    return [*figures, *_times(settings.target)], moved


def _pull(module: torch.nn.Module, at: Tensor, target: float) -> Tensor:
    """Return the gradient of half the squared distance of outputs from ``target``, by pre-activation."""
    at = at.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(0.5 * (module(at) - target).square().sum(), at)
    return gradient


def _times(target: float) -> list[Measured]:
    """Measure in float64 how long gradient flow takes until a saturated pixel is within ``NEAR``."""
    starts = torch.tensor(STARTS, dtype=torch.float64)
    step = 0.5 / (1 - target)
    most = int(1.5 * theory.time_to_correct(STARTS[-1], target) / step)
    at, module = starts.clone(), outputs.load("tanh").output()
    within = (module(at) - target).abs() < NEAR
    times = torch.where(within, 0.0, math.nan)
    for number in range(1, most + 1):
        at = at - step * _pull(module, at, target)
        arrived = times.isnan() & ((module(at) - target).abs() < NEAR)
        times[arrived] = number * step
        if not bool(times.isnan().any()):
            break
    figures = []
    for start, time in zip(STARTS, times.tolist(), strict=True):
        name = say("time until tanh is within 0.1 from the pre-activation {start:g}, float64", start=start)
        expected = theory.time_to_correct(start, target)
        figures.append(
            claim(
                f"time-from-{start:g}".replace(".", "-"),
                name,
                time,
                expected,
                of="corrected",
                tolerance=0.05 * expected,
                identity=True,
            )
        )
    return figures
