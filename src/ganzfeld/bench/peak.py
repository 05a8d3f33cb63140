"""The peak speed of the chip: the best rate of convolutions and matrix products, measured in this process."""

import time
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from ganzfeld.compute.engine import wait_for

Work = Callable[[int, torch.device, torch.dtype], tuple[Callable[[], Tensor], float]]
"""A function from scale, device and precision to a computation and its number of operations."""

PRECISIONS = {"bfloat16": torch.bfloat16, "float32": torch.float32}
_TRIES = 12
_MOST_S = 0.3
_LEAST_S = 2e-3
"""Shorter measurements would mostly show how fast work can be launched."""
_SIDE = 1024


def peak_flops_per_s(device: torch.device) -> tuple[float, str]:
    """Measure the best rate in operations per second; return it and the name of the computation.

    A multiplication and an addition count as two operations. Both bfloat16 and float32 are measured: on a
    chip without bfloat16, float32 is faster.
    """
    rates = {}
    for name, precision in PRECISIONS.items():
        for kind, work in (("matrix product", _product), ("convolution", _convolution)):
            rates[f"{name} {kind}"] = _rate(work, device, precision)
    best = max(rates, key=lambda name: rates[name])
    return rates[best], best


def _rate(work: Work, device: torch.device, precision: torch.dtype) -> float:
    """Measure the operations per second of some work, doubling its size until it takes long enough."""
    scale = 1
    while True:
        compute, operations = work(scale, device, precision)
        seconds = best_s(compute)
        if seconds >= _LEAST_S:
            return operations / seconds
        scale *= 2


def _product(scale: int, device: torch.device, precision: torch.dtype) -> tuple[Callable[[], Tensor], float]:
    side = _SIDE * scale
    left, right = (torch.rand(side, side, device=device).to(precision) for _ in range(2))
    return lambda: left @ right, 2 * side**3


def _convolution(
    scale: int, device: torch.device, precision: torch.dtype
) -> tuple[Callable[[], Tensor], float]:
    batch = 32 * scale
    maps = torch.rand(batch, 128, 16, 16, device=device).to(precision)
    maps = maps.contiguous(memory_format=torch.channels_last)
    weight = torch.rand(256, 128, 4, 4, device=device).to(precision)
    weight = weight.contiguous(memory_format=torch.channels_last)
    return lambda: functional.conv2d(maps, weight, None, 2, 1), 2 * batch * 8 * 8 * weight.numel()


@torch.no_grad()
def best_s(compute: Callable[[], Tensor]) -> float:
    """Return the seconds of the fastest of some calls; ``compute`` returns a tensor that it made."""
    seconds, spent = float("inf"), 0.0
    for _ in range(_TRIES):
        if spent > _MOST_S:  # the chip only emulates this precision
            break
        start = time.perf_counter()
        wait_for(compute().device)
        took = time.perf_counter() - start
        seconds, spent = min(seconds, took), spent + took
    return seconds
