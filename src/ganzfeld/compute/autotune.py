"""Find the fastest way to compute a layer on this machine, by timing each way in turn with torch's own.

The fastest way depends on the chip, the library and the shape.
"""

import time
from collections.abc import Callable

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
    weight = layer.weight.detach()
    with engine.autocast():
        precision = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else weight.dtype
    operations = 2 * weight.numel() * shape[2] * shape[3]
    batch = max(1, min(shape[0], _LARGEST_LAYER // operations))
    inputs = torch.rand(batch, *shape[1:]).to(precision).contiguous(memory_format=torch.channels_last)
    weight, form = weight.to(precision), form_of(layer, (shape[2], shape[3]))
    if isinstance(layer, StridedTransposedConvolution):
        small, large = inputs, spread(inputs, weight, None, form)
    else:
        small, large = convolve(inputs, weight, None, form), inputs
    return Ways(
        convolve=_faster(lambda way: convolve(large, weight, None, form._replace(ways=Ways(convolve=way)))),
        spread=_faster(lambda way: spread(small, weight, None, form._replace(ways=Ways(spread=way)))),
        correlate=_faster(lambda way: correlate(large, small, form._replace(ways=Ways(correlate=way)))),
    )


def _faster(compute: Callable[[Way], Tensor]) -> Way:
    best_s: dict[Way, float] = {"direct": float("inf"), "product": float("inf")}
    for _ in range(ROUNDS):
        for way in best_s:
            start = time.perf_counter()
            compute(way)
            best_s[way] = min(best_s[way], time.perf_counter() - start)
    return "product" if best_s["product"] < CLEARLY * best_s["direct"] else "direct"
