"""What ``torch.compile`` would cost and give on this machine: normalisation and activation, and penalties.

    python tools/price_of_compiling.py

Prints how long the first call of a compiled batch normalisation with ReLU takes, how long a pass through it
and back takes against the usual one (medians of rounds in turns), and whether a gradient penalty on a
compiled network teaches its weights anything.
"""

import copy
import os
import statistics
import time
from collections.abc import Callable

os.environ["TORCHINDUCTOR_FORCE_DISABLE_CACHES"] = "1"  # the first call is to be a first one

import torch
from torch import Tensor, nn

ROUNDS = 20


def main() -> None:
    """Three lines."""
    usual = nn.Sequential(nn.BatchNorm2d(128), nn.ReLU())
    compiled = torch.compile(copy.deepcopy(usual), dynamic=False)
    maps = torch.randn(128, 128, 16, 16).contiguous(memory_format=torch.channels_last).requires_grad_()
    print(f"first call of the compiled one: {_seconds(compiled, maps):.1f} s")
    pairs = [(_seconds(usual, maps), _seconds(compiled, maps)) for _ in range(ROUNDS)]
    medians = [1000 * statistics.median(side) for side in zip(*pairs, strict=True)]
    print(f"there and back: usual {medians[0]:.1f} ms, compiled {medians[1]:.1f} ms")
    network = nn.Sequential(nn.Conv2d(3, 8, 4, 2, 1), nn.LeakyReLU(0.2), nn.Conv2d(8, 1, 4))
    for name, judge in (("usual", network), ("compiled", torch.compile(network, dynamic=False))):
        print(f"weights taught by a gradient penalty, {name}: {_num_taught(judge, list(network))} of 2")


def _seconds(block: Callable[[Tensor], Tensor], maps: Tensor) -> float:
    begun = time.perf_counter()
    torch.autograd.grad(block(maps).sum(), maps)
    return time.perf_counter() - begun


def _num_taught(judge: Callable[[Tensor], Tensor], layers: list[nn.Module]) -> int:
    """Of how many convolutions the penalty |dD/dx|^2 has a gradient."""
    images = torch.randn(4, 3, 8, 8, requires_grad=True)
    (gradient,) = torch.autograd.grad(judge(images).sum(), images, create_graph=True)
    weights = [layer.weight for layer in layers if isinstance(layer, nn.Conv2d)]
    found = torch.autograd.grad(gradient.square().sum(), weights, allow_unused=True)
    return sum(each is not None for each in found)


if __name__ == "__main__":
    main()
