"""Random numbers for the images of a batch, drawn by one process or by several that share the batch."""

from collections.abc import Callable

import torch
from torch import Tensor


class SharedNoise(torch.Generator):
    """The random generator of one rank among ``number`` ranks, each of which has a share of the batch.

    All ranks have the same seed. ``drawn`` draws for the whole batch and keeps the indices ``rank``,
    ``rank + number``, ..., so the ranks together draw the same as a single process.
    """

    def __new__(cls, rank: int = 0, number: int = 1) -> "SharedNoise":
        """Create the generator on the CPU, whatever the device of the images."""
        return super().__new__(cls)

    def __init__(self, rank: int = 0, number: int = 1) -> None:
        self.rank, self.number = rank, number


def drawn(distribution: Callable[..., Tensor], noise: torch.Generator, images: Tensor, *shape: int) -> Tensor:
    """Draw numbers (B, *shape) for ``images`` (B, ...), of their type and on their device.

    ``distribution`` is ``torch.rand`` or ``torch.randn``.
    """
    rank, number = (noise.rank, noise.number) if isinstance(noise, SharedNoise) else (0, 1)
    whole = distribution(number * len(images), *shape, generator=noise, device=noise.device)
    own = whole[rank::number]
    # A GPU copies asynchronously only from pinned memory.
    return (own.pin_memory() if images.is_cuda else own).to(images, non_blocking=True)
