"""The arguments of ``gz.watch``, checked before the loop begins."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor, nn
from torch.nn.parallel import DataParallel, DistributedDataParallel
from torch.optim import Optimizer

from ganzfeld.data import ImageDataset
from ganzfeld.data.sources import find_source
from ganzfeld.errors import UsageError
from ganzfeld.options import PreparationOptions
from ganzfeld.output import require_outside_runs
from ganzfeld.value_kinds import PATH, is_number, is_whole
from ganzfeld.watching.folder import exists_already

_NAMES = ("generator", "discriminator")
_PAIR = "Give (loss of the generator, loss of the discriminator), or a mapping with these two names."


def hooked(name: str, network: Any) -> nn.Module:
    """Return the module on which hooks see the calls of the loop: that inside a wrapper for several devices.

    Raises ``UsageError`` if it is no module.
    """
    if not isinstance(network, nn.Module):
        raise UsageError(
            f"{name} must be a torch.nn.Module, not a {type(network).__name__}",
            "Give the module that the loop calls.",
        )
    while isinstance(network, DataParallel | DistributedDataParallel):
        network = network.module
    return network


def two_optimizers(optimizers: Any) -> tuple[Optimizer, Optimizer] | None:
    """Return the optimizers of the generator and the discriminator. Raises ``UsageError`` for others."""
    if optimizers is None:
        return None
    if isinstance(optimizers, Mapping) and set(optimizers) == set(_NAMES):
        optimizers = tuple(optimizers[name] for name in _NAMES)
    is_pair = isinstance(optimizers, Sequence) and len(optimizers) == 2
    if not is_pair or not all(isinstance(optimizer, Optimizer) for optimizer in optimizers):
        raise UsageError(
            f"optimizers must be two optimizers of torch, not {_kinds(optimizers)}",
            "Give (optimizer of the generator, optimizer of the discriminator), or None.",
        )
    return optimizers[0], optimizers[1]


def require_data(data: Any) -> None:
    """Raise ``UsageError`` for data of an unknown kind, and ``DataError`` if there is nothing to open."""
    if isinstance(data, ImageDataset):
        return
    if data is not None and not isinstance(data, str | os.PathLike):
        raise UsageError(
            f"data must be the path of the training images, not a {type(data).__name__}",
            "Give a folder, an archive or an array file, or what gz.open_images returned.",
        )
    find_source(data, PreparationOptions().frames)


def free_folder(out: Any) -> Path:
    """Return the path of the new folder. Raises ``UsageError`` if it exists or lies among a run's files."""
    path = Path(PATH.require("out", out)).absolute()
    if os.path.lexists(path):
        raise exists_already(path)
    require_outside_runs(path)
    return path


def require_images_seen(images_seen: Any, before: int) -> None:
    """Raise ``UsageError`` unless the number of images is whole and has not fallen."""
    if not is_whole(images_seen) or not before <= images_seen < 2**63:
        raise UsageError(
            f"images_seen must be a whole number of at least {before:,}, not {images_seen!r}",
            "Give the number of training images since the beginning of the loop.",
        )


def pair_of(losses: Any) -> tuple[Any, Any]:
    """Return the losses of the generator and the discriminator. Raises ``UsageError`` for anything else."""
    if isinstance(losses, Mapping):
        if missing := [name for name in _NAMES if name not in losses]:
            given = ", ".join(map(str, losses)) or "nothing"
            raise UsageError(f"losses has no {' and no '.join(missing)}, but {given}", _PAIR)
        losses = [losses[name] for name in _NAMES]
    if isinstance(losses, str) or not isinstance(losses, Sequence) or len(losses) != 2:
        raise UsageError(f"losses must be two numbers, not {_kinds(losses)}", _PAIR)
    for name, loss in zip(_NAMES, losses, strict=True):
        if not is_number(loss) and not (isinstance(loss, Tensor) and loss.numel() == 1):
            raise UsageError(f"the loss of the {name} must be a number, not {_kinds(loss)}", _PAIR)
    return losses[0], losses[1]


def batch_of(name: str, batch: Any) -> Tensor | None:
    """Return a batch of images. Raises ``UsageError`` if it is none."""
    if batch is None or (isinstance(batch, Tensor) and batch.dim() == 4):
        return batch
    raise UsageError(
        f"{name} must be a batch of images (B, C, H, W), not {_kinds(batch)}",
        f"Give the tensor that the discriminator gets, or leave out {name}.",
    )


def _kinds(value: Any) -> str:
    """Describe a value by its type, and by its shape or length."""
    if isinstance(value, Tensor):
        return f"a tensor of shape {tuple(value.shape)}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return f"{len(value)} of {', '.join(type(entry).__name__ for entry in value[:4]) or 'nothing'}"
    return f"a {type(value).__name__}"
