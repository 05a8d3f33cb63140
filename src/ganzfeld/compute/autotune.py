"""Find the fastest way to compute a layer on this machine, by timing each way in turn with torch's own.

The fastest way depends on the chip, the library and the shape.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from ganzfeld.compute.engine import Engine
from ganzfeld.networks.strided import (
    StridedConvolution,
    StridedTransposedConvolution,
    Way,
    Ways,
    convolve,
    correlate,
    form_of,
    spread,
)

ROUNDS = 5
CLEARLY = 0.9
"""A way is chosen only if it takes less than this fraction of the time of torch's own, since it rounds
differently."""

_LARGEST_LAYER = 2**31  # operations; a larger layer is measured on a part of the batch


@torch.no_grad()
def fastest_ways(
    layer: StridedConvolution | StridedTransposedConvolution, shape: tuple[int, ...], engine: Engine
) -> Ways:
    """Find the fastest way for every map of a layer, for inputs of that shape (B, C, H, W)."""
    operations = 2 * layer.weight.numel() * shape[2] * shape[3]
    batch = max(1, min(shape[0], _LARGEST_LAYER // operations))
    maps = maps_of(layer, (batch, *shape[1:]), engine)
    return Ways(
        convolve=_faster(maps["convolve"].compute),
        spread=_faster(maps["spread"].compute, "product", "subpixel"),
        correlate=_faster(maps["correlate"].compute),
    )


@dataclass(frozen=True)
class LayerMap:
    """One of the three maps of a layer: ``compute`` does it in a way.

    It takes ``flops`` operations, a multiplication and an addition being two, on data of ``num_bytes``.
    """

    compute: Callable[[Way], Tensor]
    flops: float
    num_bytes: int


@torch.no_grad()
def maps_of(
    layer: StridedConvolution | StridedTransposedConvolution, shape: tuple[int, ...], engine: Engine
) -> dict[str, LayerMap]:
    """Return the maps of a layer by their names in ``Ways``, on random inputs of that shape (B, C, H, W).

    They compute in the precision in which the engine computes layers.
    """
    weight = layer.weight.detach()
    kind = engine.device.type
    with engine.autocast():
        is_cast = torch.is_autocast_enabled(kind)
        precision = torch.get_autocast_dtype(kind) if is_cast else weight.dtype
    inputs = torch.rand(shape, device=engine.device).to(precision)
    inputs = inputs.contiguous(memory_format=torch.channels_last)
    weight, form = weight.to(precision), form_of(layer, (shape[2], shape[3]))
    if isinstance(layer, StridedTransposedConvolution):
        small, large = inputs, spread(inputs, weight, None, form)
    else:
        small, large = convolve(inputs, weight, None, form), inputs
    computations: dict[str, Callable[[Way], Tensor]] = {
        "convolve": lambda way: convolve(large, weight, None, form._replace(ways=Ways(convolve=way))),
        "spread": lambda way: spread(small, weight, None, form._replace(ways=Ways(spread=way))),
        "correlate": lambda way: correlate(large, small, form._replace(ways=Ways(correlate=way))),
    }
    # Each weight meets each position of the small side, in all three maps.
    flops = 2.0 * weight.numel() * len(small) * small[0, 0].numel()
    num_bytes = small.nbytes + large.nbytes + weight.nbytes
    return {name: LayerMap(compute, flops, num_bytes) for name, compute in computations.items()}


def _faster(compute: Callable[[Way], Tensor], *others: Way) -> Way:
    """Return the fastest of torch's own way and others, which must be clearly faster."""
    best_s: dict[Way, float] = dict.fromkeys(("direct", *(others or ("product",))), float("inf"))
    for _ in range(ROUNDS):
        for way in best_s:
            start = time.perf_counter()
            compute(way)
            best_s[way] = min(best_s[way], time.perf_counter() - start)
    fastest = min(best_s, key=lambda way: best_s[way])
    return fastest if best_s[fastest] < CLEARLY * best_s["direct"] else "direct"
