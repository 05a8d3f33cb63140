"""What the chip can do: the best rate of convolutions and matrix products, measured in this process."""

import time
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

PRECISIONS = {"bfloat16": torch.bfloat16, "float32": torch.float32}
_TRIES = 12
_MOST_S = 0.3
_SIDE = 1024


def peak_flops_per_s(device: torch.device) -> tuple[float, str]:
    """The best rate in operations a second (a multiplication and an addition are two), and of what it is.

    In bfloat16 and in float32: where the chip has no bfloat16, float32 is the faster one.
    """
    rates = {}
    for name, precision in PRECISIONS.items():
        one, other = (torch.rand(_SIDE, _SIDE, device=device).to(precision) for _ in range(2))
        rates[f"{name} matrix product"] = 2 * _SIDE**3 / _best(lambda: one @ other)  # noqa: B023
        maps = torch.rand(32, 128, 16, 16, device=device).to(precision)
        maps = maps.contiguous(memory_format=torch.channels_last)
        weight = torch.rand(256, 128, 4, 4, device=device).to(precision)
        weight = weight.contiguous(memory_format=torch.channels_last)
        flops = 2 * 32 * 8 * 8 * weight.numel()
        convolution = _best(lambda: functional.conv2d(maps, weight, None, 2, 1))  # noqa: B023
        rates[f"{name} convolution"] = flops / convolution
    best = max(rates, key=lambda name: rates[name])
    return rates[best], best


@torch.no_grad()
def _best(compute: Callable[[], Tensor]) -> float:
    seconds, spent = float("inf"), 0.0
    for _ in range(_TRIES):
        if spent > _MOST_S:  # a precision that the chip only emulates
            break
        begun = time.perf_counter()
        result = compute()
        if result.is_cuda:
            torch.cuda.synchronize(result.device)
        took = time.perf_counter() - begun
        seconds, spent = min(seconds, took), spent + took
    return seconds
