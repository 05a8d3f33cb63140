"""What the chip can do: the best rate of convolutions and matrix products, measured in this process."""

import time
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from ganzfeld.compute.engine import wait_for

Work = Callable[[int, torch.device, torch.dtype], tuple[Callable[[], Tensor], float]]
"""From a scale, a device and a precision to something to compute, and the operations that it takes."""

PRECISIONS = {"bfloat16": torch.bfloat16, "float32": torch.float32}
_TRIES = 12
_MOST_S = 0.3
_LEAST_S = 2e-3
"""Shorter than this, it would be measured how fast work can be started."""
_SIDE = 1024


def peak_flops_per_s(device: torch.device) -> tuple[float, str]:
    """The best rate in operations a second (a multiplication and an addition are two), and of what it is.

    In bfloat16 and in float32: where the chip has no bfloat16, float32 is the faster one.
    """
    rates = {}
    for name, precision in PRECISIONS.items():
        for kind, work in (("matrix product", _product), ("convolution", _convolution)):
            rates[f"{name} {kind}"] = _rate(work, device, precision)
    best = max(rates, key=lambda name: rates[name])
    return rates[best], best


def _rate(work: Work, device: torch.device, precision: torch.dtype) -> float:
    """Operations a second of some work, made twice as large until it takes long enough."""
    scale = 1
    while True:
        compute, operations = work(scale, device, precision)
        seconds = _best(compute)
        if seconds >= _LEAST_S:
            return operations / seconds
        scale *= 2


def _product(scale: int, device: torch.device, precision: torch.dtype) -> tuple[Callable[[], Tensor], float]:
    side = _SIDE * scale
    one, other = (torch.rand(side, side, device=device).to(precision) for _ in range(2))
    return lambda: one @ other, 2 * side**3


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
def _best(compute: Callable[[], Tensor]) -> float:
    seconds, spent = float("inf"), 0.0
    for _ in range(_TRIES):
        if spent > _MOST_S:  # a precision that the chip only emulates
            break
        begun = time.perf_counter()
        wait_for(compute().device)
        took = time.perf_counter() - begun
        seconds, spent = min(seconds, took), spent + took
    return seconds
