"""Images that are to be reproduced: their form, and how near a reproduction comes."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from ganzfeld.errors import DataError, UsageError
from ganzfeld.networks import Generator

ROUNDING = 1 / 12
"""The mean squared error, in levels, of rounding to bytes: no reproduction can be known to be nearer."""

_KINDS = {1: "grey", 3: "colour"}


def psnr_db(first: np.ndarray, second: np.ndarray, where: np.ndarray | None = None) -> np.ndarray:
    """Return the peak signal-to-noise ratio of uint8 images (N, H, W, C) in decibels, (N,).

    It is 10 log10(255^2 / mean squared error), over the pixels that are true in ``where`` (H, W) if given.
    Since bytes are known only to within rounding, it ends at 58.9, the value of equal images.
    """
    squares = (first.astype(np.float64) - second.astype(np.float64)) ** 2
    if where is not None:
        squares = squares[:, where][:, None]
    errors = squares.reshape(len(squares), -1).mean(1)
    return 10 * np.log10(255**2 / np.maximum(errors, ROUNDING))


def as_targets(images: Any, generator: Generator) -> Tensor:
    """Convert images to targets (N, C, H, W) in [-1, 1], float32.

    They are uint8 (N, H, W, C), as ``run.sample`` returns them, or a float tensor (N, C, H, W) in [-1, 1], as
    a generator returns it. Raises ``UsageError`` for anything else and for a generator that is not on the CPU
    in float32, and ``DataError`` for another size, other channels, or values that are not finite or not from
    -1 to 1.
    """
    weight = next(generator.parameters())
    if weight.device.type != "cpu" or weight.dtype != torch.float32:
        raise UsageError(
            f"the generator is on {weight.device} in {str(weight.dtype).removeprefix('torch.')}, and images"
            " are inverted on the CPU in float32",
            "Convert it: run.generator.cpu().float().",
        )
    if isinstance(images, Tensor) and images.is_floating_point():
        targets = images.detach().to(weight)
        shape = tuple(targets.shape)
        require_fit(shape[2:], shape[1] if len(shape) == 4 else 0, generator, shape)
        if not bool(targets.isfinite().all()):
            raise DataError("the images contain NaN or infinity", "Find them with images.isfinite().")
        if len(targets) and float(targets.abs().max()) > 1 + 1e-4:
            raise DataError(
                f"the images have values up to {float(targets.abs().max()):.4g}, and a generator's are from"
                " -1 to 1",
                "Give uint8 images (N, height, width, channels), or scale them: images / 127.5 - 1.",
            )
        return targets.clamp(-1, 1)
    array = images.detach().cpu().numpy() if isinstance(images, Tensor) else np.asarray(images)
    if array.dtype != np.uint8:
        raise UsageError(
            f"images are uint8 (N, height, width, channels), not {array.dtype} {array.shape}",
            "Convert them: images.astype('uint8'). A float tensor is (N, channels, height, width).",
        )
    require_fit(array.shape[1:-1], array.shape[-1] if array.ndim == 4 else 0, generator, array.shape)
    levels = torch.from_numpy(np.array(array)).to(weight)  # a copy: torch warns of read-only arrays
    return (levels / 127.5 - 1).movedim(-1, 1).contiguous()


def require_fit(size: tuple[int, ...], channels: int, generator: Generator, shape: tuple[int, ...]) -> None:
    """Raise ``UsageError`` for a shape that images do not have, and ``DataError`` for images of another kind.

    ``size`` is (height, width).
    """
    if len(shape) != 4:
        hint = "One image needs a batch of one: images[None]." if len(shape) == 3 else ""
        raise UsageError(
            f"the images have the shape {shape}, not (N, height, width, channels)",
            hint or "Give uint8 images as run.sample returns them.",
        )
    if not shape[0]:
        raise UsageError("there is no image to invert", "Give at least one.")
    height, width = generator.plan.size
    if size != (height, width):
        raise DataError(
            f"the images are {_by(size)} px, and the generator makes images of {width}x{height} px",
            "Scale them to that size.",
        )
    if channels != generator.channels:
        kinds = {number: f"{kind} images ({number} channels)" for number, kind in _KINDS.items()}
        raise DataError(
            f"the images have {channels} channels, and the generator makes"
            f" {kinds.get(generator.channels, f'images of {generator.channels} channels')}",
            "Give images of the run's kind.",
        )


def _by(size: tuple[int, ...]) -> str:
    return "x".join(str(number) for number in reversed(size))
