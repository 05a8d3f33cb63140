"""Which way of computing a layer is the fastest on this machine, measured in turns against torch's own.

It depends on the chip, the library and the shape.
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
"""A way must need less than this share of the time of torch's own, or it is not worth another rounding."""

_LARGEST_LAYER = 2**31  # operations; of larger layers a part of the batch is measured


@torch.no_grad()
def fastest_ways(
    layer: StridedConvolution | StridedTransposedConvolution, shape: tuple[int, ...], engine: Engine
) -> Ways:
    """Measure every map of a layer for inputs of that shape (B, C, H, W), each way against torch's own."""
    weight = layer.weight.detach()
    with engine.autocast():
        precision = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else weight.dtype
    operations = 2 * weight.numel() * shape[2] * shape[3]
    batch = max(1, min(shape[0], _LARGEST_LAYER // operations))
    given = torch.rand(batch, *shape[1:]).to(precision).contiguous(memory_format=torch.channels_last)
    weight, form = weight.to(precision), form_of(layer, (shape[2], shape[3]))
    if isinstance(layer, StridedTransposedConvolution):
        small, large = given, spread(given, weight, None, form)
    else:
        small, large = convolve(given, weight, None, form), given
    return Ways(
        convolve=_faster(lambda way: convolve(large, weight, None, form._replace(ways=Ways(convolve=way)))),
        spread=_faster(lambda way: spread(small, weight, None, form._replace(ways=Ways(spread=way)))),
        correlate=_faster(lambda way: correlate(large, small, form._replace(ways=Ways(correlate=way)))),
    )


def _faster(compute: Callable[[Way], Tensor]) -> Way:
    took: dict[Way, float] = {"direct": float("inf"), "product": float("inf")}
    for _ in range(ROUNDS):
        for way in took:
            begun = time.perf_counter()
            compute(way)
            took[way] = min(took[way], time.perf_counter() - begun)
    return "product" if took["product"] < CLEARLY * took["direct"] else "direct"
