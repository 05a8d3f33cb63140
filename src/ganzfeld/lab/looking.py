"""Maps and images, as experiments measure and draw them."""

from typing import Any

import numpy as np
import torch
from torch import Tensor


def span_of_most(energy: Tensor, share: float = 0.95) -> int:
    """Return the length of the shortest stretch of a line (N,) that holds ``share`` of its sum."""
    total = torch.cat((torch.zeros(1, dtype=energy.dtype, device=energy.device), energy.cumsum(0)))
    enough = share * float(total[-1])
    return next(
        length
        for length in range(len(energy) + 1)
        if float((total[length:] - total[: len(total) - length]).max()) >= enough
    )


def as_bytes(images: Tensor) -> list[Any]:
    """Return images (N, C, H, W) in [-1, 1] as nested lists (N, H, W, C) from 0 to 255, to be drawn."""
    return ((images.clamp(-1, 1) + 1) * 127.5).round().byte().movedim(1, -1).tolist()


def row_of(images: Tensor) -> list[Any]:
    """Put images (N, C, H, W) in [-1, 1] side by side into one image of ``as_bytes``."""
    return as_bytes(torch.cat(list(images), 2)[None])[0]


def show(axes: Any, image: list[Any], title: str = "") -> None:
    """Draw one image of ``as_bytes`` on the axes of a figure, pixel by pixel."""
    shown = np.array(image, np.uint8)
    axes.imshow(shown[..., 0] if shown.shape[-1] == 1 else shown, cmap="gray", interpolation="nearest")
    axes.set(xticks=[], yticks=[])
    axes.set_title(title, fontsize="medium")
