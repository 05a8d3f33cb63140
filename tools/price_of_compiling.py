"""Measure the cost and gain of ``torch.compile`` on this machine, for normalisations and penalties.

    python tools/price_of_compiling.py

Prints the time of the first call of a compiled batch normalisation with ReLU, the time of a forward and
backward pass through it and through the uncompiled one (medians of alternating rounds), and whether a
gradient penalty on a compiled network has gradients in its weights.
"""

import copy
import os
import statistics
import time
from collections.abc import Callable

os.environ["TORCHINDUCTOR_FORCE_DISABLE_CACHES"] = "1"  # so that the first call compiles

import torch
from torch import Tensor, nn

ROUNDS = 20


def main() -> None:
    """Print the three measurements."""
    usual = nn.Sequential(nn.BatchNorm2d(128), nn.ReLU())
    compiled = torch.compile(copy.deepcopy(usual), dynamic=False)
    maps = torch.randn(128, 128, 16, 16).contiguous(memory_format=torch.channels_last).requires_grad_()
    print(f"first call of the compiled block: {_seconds(compiled, maps):.1f} s")
    pairs = [(_seconds(usual, maps), _seconds(compiled, maps)) for _ in range(ROUNDS)]
    medians = [1000 * statistics.median(side) for side in zip(*pairs, strict=True)]
    print(f"forward and backward: usual {medians[0]:.1f} ms, compiled {medians[1]:.1f} ms")
    network = nn.Sequential(nn.Conv2d(3, 8, 4, 2, 1), nn.LeakyReLU(0.2), nn.Conv2d(8, 1, 4))
    for name, critic in (("usual", network), ("compiled", torch.compile(network, dynamic=False))):
        num = _num_with_gradient(critic, list(network))
        print(f"weights with a gradient from the gradient penalty, {name}: {num} of 2")


def _seconds(block: Callable[[Tensor], Tensor], maps: Tensor) -> float:
    begun = time.perf_counter()
    torch.autograd.grad(block(maps).sum(), maps)
    return time.perf_counter() - begun


def _num_with_gradient(critic: Callable[[Tensor], Tensor], layers: list[nn.Module]) -> int:
    """Return for how many convolutions the penalty |dD/dx|^2 has a gradient."""
    images = torch.randn(4, 3, 8, 8, requires_grad=True)
    (gradient,) = torch.autograd.grad(critic(images).sum(), images, create_graph=True)
    weights = [layer.weight for layer in layers if isinstance(layer, nn.Conv2d)]
    gradients = torch.autograd.grad(gradient.square().sum(), weights, allow_unused=True)
    return sum(gradient is not None for gradient in gradients)


if __name__ == "__main__":
    main()
