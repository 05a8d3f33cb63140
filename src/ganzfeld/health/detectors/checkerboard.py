"""A grid in the images, at the stride of the transposed convolutions."""

from collections.abc import Mapping
from typing import Any

from ganzfeld.geometry import plan
from ganzfeld.health.evidence import RunEvidence
from ganzfeld.health.finding import Finding, Remedy
from ganzfeld.health.remedies import rate
from ganzfeld.health.symptoms import high

READINGS = ("checkerboard",)


def find(run: RunEvidence) -> Finding | None:
    """Energy at the stride's harmonics beyond what healthy runs show."""
    grid = high(
        run, "checkerboard", "the energy at the stride's harmonics against the data's, as a power of ten,"
    )
    if not grid:
        return None
    evidence = grid.evidence
    uneven = _uneven(run.recipe)
    if uneven:
        cause = (
            f"The ladder of this recipe has kernels that their stride does not divide ({uneven}), so that "
            "neighbouring pixels add up different numbers of inputs."
        )
        remedy = Remedy("Take the default ladder, which covers every pixel evenly.", ("ladder=null",))
    else:
        cause = (
            "Every pixel is covered evenly, but its neighbours are made by different weights of the kernel; "
            "steps that are too large write the grid into these weights."
        )
        remedy = Remedy("Smaller steps for the generator.", (rate(run, "generator", 0.5),))
    return Finding(
        "checkerboard",
        "sick" if uneven else "watch",
        grid.since_images,
        (evidence,),
        cause,
        remedy,
        "upsampling",
    )


def _uneven(recipe: Mapping[str, Any]) -> str:
    """The steps of the ladder whose coverage is uneven, in words; empty if none is."""
    rungs = recipe["ladder"] and [rung if isinstance(rung, int) else rung[::-1] for rung in recipe["ladder"]]
    layers = plan(recipe["size"][::-1], ladder=rungs).layers
    return ", ".join(
        f"{'x'.join(map(str, layer.kernel[::-1]))} by {'x'.join(map(str, layer.stride[::-1]))}"
        for layer in layers
        if not layer.even
    )
