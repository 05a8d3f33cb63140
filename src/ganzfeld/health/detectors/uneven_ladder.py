"""Layers of the generator that cover neighbouring pixels unevenly, which is known before training.

Odena et al. 2016 (*Deconvolution and checkerboard artifacts*) show what this leads to. Training can learn to
balance it, so a verdict counts it only beside a finding from readings, or while little has been learned
(``PRIOR``); ``checkerboard`` says whether it shows.
"""

from collections.abc import Iterator

from ganzfeld.geometry import plan
from ganzfeld.health.evidence import RunEvidence
from ganzfeld.health.finding import Evidence, Finding, Remedy

READINGS = ()
PRIOR = True


def find(run: RunEvidence) -> Finding | None:
    """Report kernels whose size is not divisible by their stride."""
    uneven = uneven_layers(run)
    if not uneven:
        return None
    return Finding(
        "uneven-ladder",
        "watch",
        0,
        (Evidence(f"kernel sizes that their stride does not divide: {uneven}"),),
        cause_of(uneven, run),
        even_ladder(run),
        "upsampling",
    )


def uneven_layers(run: RunEvidence) -> str:
    """Return the layers that cover pixels unevenly, such as ``3x3 by 2x2``; empty if there are none."""
    return ", ".join(dict.fromkeys(_in_words(kernel, stride) for kernel, stride in _uneven(run)))


def cause_of(uneven: str, run: RunEvidence) -> str:
    """Return what such layers do, in a sentence."""
    owner = "The generator" if run.watched else "The ladder of this recipe"
    return (
        f"{owner} has kernels whose size is not divisible by their stride ({uneven}), "
        "so neighbouring pixels sum different numbers of inputs."
    )


def even_ladder(run: RunEvidence) -> Remedy:
    """Return the remedy: kernels that cover every pixel evenly."""
    text = (
        "Use kernels that their stride divides, which cover every pixel evenly."
        if run.watched
        else "Use the default ladder, which covers every pixel evenly."
    )
    return Remedy(text, ("ladder=null",))


def _uneven(run: RunEvidence) -> Iterator[tuple[list[int], list[int]]]:
    """Yield kernel and stride, height first, of every uneven layer."""
    recipe = run.recipe
    if run.watched:
        for layer in recipe.get("layers", ()):
            kernel, stride = layer["kernel"], layer["stride"]
            if kernel and any(k % s for k, s in zip(kernel, stride, strict=True)):
                yield kernel, stride
        return
    rungs = recipe["ladder"] and [rung if isinstance(rung, int) else rung[::-1] for rung in recipe["ladder"]]
    for layer in plan(recipe["size"][::-1], ladder=rungs).layers:
        if not layer.even:
            yield list(layer.kernel), list(layer.stride)


def _in_words(kernel: list[int], stride: list[int]) -> str:
    return f"{'x'.join(map(str, kernel[::-1]))} by {'x'.join(map(str, stride[::-1]))}"
