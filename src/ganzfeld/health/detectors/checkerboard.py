"""A checkerboard pattern in generated images, with the period of the stride of a transposed convolution."""

from collections.abc import Mapping, Sequence
from typing import Any

from ganzfeld.geometry import plan
from ganzfeld.health.evidence import RunEvidence
from ganzfeld.health.finding import Finding, Remedy
from ganzfeld.health.remedies import rate
from ganzfeld.health.symptoms import high

READINGS = ("checkerboard",)


def find(run: RunEvidence) -> Finding | None:
    """Check the spectral power of generated images at the harmonics of the stride."""
    grid = high(
        run,
        "checkerboard",
        "the spectral power of generated images at the harmonics of the stride, relative to real images, as "
        "a log10,",
    )
    if not grid:
        return None
    evidence = grid.evidence
    uneven = _uneven_layers(run.recipe["layers"]) if run.watched else _uneven(run.recipe)
    if uneven:
        owner = "The generator" if run.watched else "The ladder of this recipe"
        cause = (
            f"{owner} has kernels whose size is not divisible by their stride ({uneven}), "
            "so neighbouring pixels sum different numbers of inputs."
        )
        text = (
            "Use kernels that their stride divides, which cover every pixel evenly."
            if run.watched
            else "Use the default ladder, which covers every pixel evenly."
        )
        remedy = Remedy(text, ("ladder=null",))
    else:
        cause = (
            "The kernels cover every pixel evenly, but neighbouring pixels use different weights of the "
            "kernel. A learning rate that is too high prints the pattern into these weights."
        )
        remedy = Remedy("Lower the learning rate of the generator.", (rate(run, "generator", 0.5),))
    return Finding(
        "checkerboard",
        "sick" if uneven else "watch",
        grid.since_images,
        (evidence,),
        cause,
        remedy,
        "upsampling",
    )


def _uneven_layers(layers: Sequence[Mapping[str, Any]]) -> str:
    """Return the layers of a loop's generator that cover pixels unevenly, in the same form."""
    return ", ".join(
        f"{'x'.join(map(str, layer['kernel'][::-1]))} by {'x'.join(map(str, layer['stride'][::-1]))}"
        for layer in layers
        if layer["kernel"] and any(k % s for k, s in zip(layer["kernel"], layer["stride"], strict=True))
    )


def _uneven(recipe: Mapping[str, Any]) -> str:
    """Return the layers that cover pixels unevenly, such as ``3x3 by 2x2``; empty if there are none."""
    rungs = recipe["ladder"] and [rung if isinstance(rung, int) else rung[::-1] for rung in recipe["ladder"]]
    layers = plan(recipe["size"][::-1], ladder=rungs).layers
    return ", ".join(
        f"{'x'.join(map(str, layer.kernel[::-1]))} by {'x'.join(map(str, layer.stride[::-1]))}"
        for layer in layers
        if not layer.even
    )
