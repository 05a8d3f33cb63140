"""What is drawn for the images of a batch, by one process or by several that share it."""

from collections.abc import Callable

import torch
from torch import Tensor


class SharedNoise(torch.Generator):
    """The randomness of one among several processes, of which each works on a share of a batch.

    All have the same seed. ``drawn`` draws for the whole batch and keeps the places ``rank``,
    ``rank + number``, ...: together they draw what one alone would.
    """

    def __new__(cls, rank: int = 0, number: int = 1) -> "SharedNoise":
        """On the processor, whatever the device of the images."""
        return super().__new__(cls)

    def __init__(self, rank: int = 0, number: int = 1) -> None:
        self.rank, self.number = rank, number


def drawn(distribution: Callable[..., Tensor], noise: torch.Generator, images: Tensor, *shape: int) -> Tensor:
    """Numbers (B, *shape) for ``images`` (B, ...), of their type and on their device.

    ``distribution`` is ``torch.rand`` or ``torch.randn``.
    """
    rank, number = (noise.rank, noise.number) if isinstance(noise, SharedNoise) else (0, 1)
    whole = distribution(number * len(images), *shape, generator=noise, device=noise.device)
    own = whole[rank::number]
    # Only from pinned memory does a graphics card fetch numbers without anybody waiting for it.
    return (own.pin_memory() if images.is_cuda else own).to(images, non_blocking=True)
