"""What a generator may be called with, checked before torch sees it.

Nothing is checked while torch traces, exports or compiles, and no values while it transforms or captures.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.fx import Proxy
from torch.utils._python_dispatch import is_in_torch_dispatch_mode

from ganzfeld.catalogue import did_you_mean
from ganzfeld.errors import UsageError
from ganzfeld.printable import printable

MOST_NAMED = 20
"""Names of classes that a message lists."""

Labels = Tensor | np.ndarray | Sequence[int] | Sequence[str] | int | str
"""Classes, each by its number or its name, one per image; or one class for all of them."""

_PLAIN = (Tensor, nn.Parameter)


def is_recorded(numbers: Any) -> bool:
    """Whether torch traces, exports or compiles the call, and must find nothing but tensor operations.

    ``numbers`` are those of the call; while torch.fx traces, they stand for tensors that do not exist yet.
    """
    traced = torch.jit.is_tracing()  # pyright: ignore[reportPrivateImportUsage]
    return traced or torch.compiler.is_compiling() or isinstance(numbers, Proxy)


def has_values(numbers: Tensor) -> bool:
    """Whether numbers can be looked at: the tensor has some, and nothing records or transforms the call."""
    # torch has no public names for these; torch.autograd.function asks the first in the same way.
    transformed = torch._C._are_functorch_transforms_active() or is_in_torch_dispatch_mode()
    return type(numbers) in _PLAIN and not numbers.is_meta and not transformed


def require_latents(latents: Any, size: int, weight: Tensor, *, finite: bool = True) -> None:
    """Raise ``UsageError`` unless these are latents (B, size), or (B, size, 1, 1), that fit the weights.

    ``finite`` false: their values are not looked at.
    """
    if not isinstance(latents, Tensor):
        raise UsageError(
            f"latents are a {type(latents).__name__}, and a generator takes a tensor of shape (B, {size})",
            "Make one of it: torch.as_tensor(latents, dtype=torch.float32).",
        )
    if latents.layout != torch.strided:
        raise UsageError(
            f"latents are stored as {latents.layout}, and a generator takes dense ones",
            "Convert them: latents.to_dense().",
        )
    shape = tuple(latents.shape)
    if len(shape) < 2 or shape[1] != size or any(axis != 1 for axis in shape[2:]):
        hint = f"One image needs a batch of one: latents.reshape(1, {size})." if shape == (size,) else ""
        raise UsageError(
            f"latents have the shape {shape}, and this generator takes (B, {size})",
            hint or f"Draw some: torch.randn(B, {size}), or ganzfeld.latents_of_seeds(range(B), {size}).",
        )
    _require_kind(latents, weight)
    # On a GPU this would wait for all that was asked of it before.
    looks = finite and latents.device.type == "cpu" and has_values(latents)
    if looks and not bool(latents.isfinite().all()):
        raise UsageError("latents hold NaN or infinity", "Look for them with latents.isfinite().")


def _require_kind(latents: Tensor, weight: Tensor) -> None:
    kind, wanted = latents.dtype, weight.dtype
    if kind != wanted and not (kind in (torch.float16, torch.bfloat16) and _is_mixed(latents.device.type)):
        raise UsageError(
            f"latents are {_named(kind)}, and this generator computes in {_named(wanted)}",
            f"Convert them, latents.to({wanted}), or the generator, generator.to(latents.dtype)."
            if kind.is_floating_point
            else f"Draw them from the prior of the model, or convert them: latents.to({wanted}).",
        )
    if latents.device != weight.device:
        raise UsageError(
            f"latents are on {latents.device}, and the generator is on {weight.device}",
            f"Move them: latents.to({str(weight.device)!r}).",
        )


def _is_mixed(device: str) -> bool:
    return torch.amp.is_autocast_available(device) and torch.is_autocast_enabled(device)


def labels_of(given: Any, num: int, names: Sequence[str], num_classes: int, *, waits: bool = True) -> Tensor:
    """The numbers (num,) of the classes that are given by number or name, int64.

    A tensor keeps its device; ``waits`` false: its values on a GPU are taken as they are. Raises
    ``UsageError`` for anything that names no class, or not one per image.
    """
    if isinstance(given, str | int | float | np.generic) or getattr(given, "ndim", 1) == 0:
        given = [given] * num
    if isinstance(given, np.ndarray) and given.dtype.kind in "OUS":
        given = given.tolist()
    if isinstance(given, np.ndarray):
        given = torch.from_numpy(np.ascontiguousarray(given))
    if not isinstance(given, Tensor):
        given = _numbers(given, names, num_classes)
    _require_kind_of_labels(given, num, num_classes)
    labels = given.long()
    if len(labels) and has_values(labels) and (labels.device.type == "cpu" or (waits and not _captures())):
        low, high = int(labels.min()), int(labels.max())
        if low < 0 or high >= num_classes:
            raise _unknown(low if low < 0 else high, num_classes)
    return labels


def _captures() -> bool:
    return torch.cuda.is_available() and torch.cuda.is_current_stream_capturing()


def _numbers(given: Any, names: Sequence[str], num_classes: int) -> Tensor:
    if isinstance(given, bytes | dict) or not isinstance(given, Iterable):
        raise UsageError(f"labels cannot be {given!r}", "Give the number or the name of a class per image.")
    return torch.tensor([_number(each, names, num_classes) for each in given], dtype=torch.int64)


def _number(given: Any, names: Sequence[str], num_classes: int) -> int:
    if isinstance(given, np.ndarray | Tensor) and given.ndim == 0:
        given = given.item()
    if isinstance(given, str):
        return number_of(given, names)
    if isinstance(given, bool | np.bool) or not isinstance(given, int | np.integer):
        raise UsageError(f"{given!r} is no class", _expected(num_classes))
    if not 0 <= given < num_classes:
        raise _unknown(int(given), num_classes)
    return int(given)


def _require_kind_of_labels(labels: Tensor, num: int, num_classes: int) -> None:
    kind = labels.dtype
    if kind.is_floating_point or kind.is_complex or kind == torch.bool:
        raise UsageError(f"labels are {_named(kind)}, and classes have whole numbers", _expected(num_classes))
    if tuple(labels.shape) != (num,):
        raise UsageError(
            f"labels have the shape {tuple(labels.shape)} for {num} images",
            f"Give one class per image: the shape is ({num},).",
        )


def number_of(name: str, names: Sequence[str]) -> int:
    """The number of the class of that name. Raises ``UsageError`` with the nearest names if there is none."""
    if name in names:
        return names.index(name)
    hint = did_you_mean(name, names)
    if len(names) > MOST_NAMED and not hint.startswith("Did"):
        hint = f"There are {len(names):,}; card.json of the model names them."
    raise UsageError(f"there is no class {printable(name)!r}", printable(hint))


def _unknown(label: int, num_classes: int) -> UsageError:
    return UsageError(
        f"there is no class with the label {label}: labels are from 0 to {num_classes - 1}",
        _expected(num_classes),
    )


def _expected(num_classes: int) -> str:
    return f"Give numbers from 0 to {num_classes - 1}, or names of classes."


def _named(kind: torch.dtype) -> str:
    return str(kind).removeprefix("torch.")
