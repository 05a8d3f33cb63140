"""Checks of the arguments of a generator, before torch sees them.

Nothing is checked while torch traces, exports or compiles. Values are not checked while torch transforms a
function or captures a CUDA graph.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.fx import Proxy
from torch.utils._python_dispatch import is_in_torch_dispatch_mode

from ganzfeld.catalogue import close_names, did_you_mean
from ganzfeld.errors import UsageError
from ganzfeld.printable import printable

MOST_NAMED = 20
"""The most class names that a message lists."""

Labels = Tensor | np.ndarray | Sequence[int] | Sequence[str] | int | str
"""One class per image, by index or by name; or one class for all images."""

_PLAIN = (Tensor, nn.Parameter)


def is_recorded(tensor: Any) -> bool:
    """Check whether torch traces, exports or compiles the call, so that only tensor operations may run.

    ``tensor`` is an argument of the call; during a torch.fx trace it is a ``Proxy``.
    """
    traced = torch.jit.is_tracing()  # pyright: ignore[reportPrivateImportUsage]
    return traced or torch.compiler.is_compiling() or isinstance(tensor, Proxy)


def has_values(tensor: Tensor) -> bool:
    """Check whether a tensor has values that can be read now, outside traces and transforms."""
    # torch has no public names for these; torch.autograd.function uses the first in the same way.
    transformed = torch._C._are_functorch_transforms_active() or is_in_torch_dispatch_mode()
    return type(tensor) in _PLAIN and not tensor.is_meta and not transformed


def require_latents(latents: Any, size: int, weight: Tensor, *, finite: bool = True) -> None:
    """Raise ``UsageError`` unless these are latents (B, size), or (B, size, 1, 1), that fit the weights.

    With ``finite=False`` their values are not checked.
    """
    if not isinstance(latents, Tensor):
        raise UsageError(
            f"latents are a {type(latents).__name__}, but a generator takes a tensor of shape (B, {size})",
            "Convert them: torch.as_tensor(latents, dtype=torch.float32).",
        )
    if latents.layout != torch.strided:
        raise UsageError(
            f"the latents have the layout {latents.layout}, but a generator takes a dense tensor",
            "Convert them: latents.to_dense().",
        )
    shape = tuple(latents.shape)
    if len(shape) < 2 or shape[1] != size or any(axis != 1 for axis in shape[2:]):
        hint = f"One image needs a batch of one: latents.reshape(1, {size})." if shape == (size,) else ""
        raise UsageError(
            f"the latents have the shape {shape}, but this generator takes (B, {size})",
            hint or f"Draw some: torch.randn(B, {size}), or ganzfeld.latents_of_seeds(range(B), {size}).",
        )
    _require_type_and_device(latents, weight)
    # On a GPU this check would wait for all queued work.
    is_checked = finite and latents.device.type == "cpu" and has_values(latents)
    if is_checked and not bool(latents.isfinite().all()):
        raise UsageError("the latents contain NaN or infinity", "Find them with latents.isfinite().")


def _require_type_and_device(latents: Tensor, weight: Tensor) -> None:
    dtype, expected = latents.dtype, weight.dtype
    is_half = dtype in (torch.float16, torch.bfloat16)
    if dtype != expected and not (is_half and _is_mixed(latents.device.type)):
        raise UsageError(
            f"the latents are {_dtype_name(dtype)}, but this generator computes in {_dtype_name(expected)}",
            f"Convert the latents, latents.to({expected}), or the generator, generator.to(latents.dtype)."
            if dtype.is_floating_point
            else f"Draw them from the prior of the model, or convert them: latents.to({expected}).",
        )
    if latents.device != weight.device:
        raise UsageError(
            f"the latents are on {latents.device}, but the generator is on {weight.device}",
            f"Move them: latents.to({str(weight.device)!r}).",
        )


def _is_mixed(device: str) -> bool:
    return torch.amp.is_autocast_available(device) and torch.is_autocast_enabled(device)


def labels_of(
    classes: Any, num: int, names: Sequence[str], num_classes: int, *, waits: bool = True
) -> Tensor:
    """Convert classes, given by index or name, to labels (num,), int64.

    A tensor stays on its device; with ``waits=False`` the values of a GPU tensor are not checked, which would
    wait for the GPU. Raises ``UsageError`` for an unknown class, and unless there is one per image.
    """
    if isinstance(classes, str | int | float | np.generic) or getattr(classes, "ndim", 1) == 0:
        classes = [classes] * num
    if isinstance(classes, np.ndarray) and classes.dtype.kind in "OUS":
        classes = classes.tolist()
    if isinstance(classes, np.ndarray):
        classes = torch.from_numpy(np.ascontiguousarray(classes))
    if not isinstance(classes, Tensor):
        classes = _indices(classes, names, num_classes)
    _require_label_tensor(classes, num, num_classes)
    labels = classes.long()
    can_check = labels.device.type == "cpu" or (waits and not _is_capturing())
    if len(labels) and has_values(labels) and can_check:
        low, high = int(labels.min()), int(labels.max())
        if low < 0 or high >= num_classes:
            raise _unknown_label(low if low < 0 else high, num_classes)
    return labels


def _is_capturing() -> bool:
    return torch.cuda.is_available() and torch.cuda.is_current_stream_capturing()


def _indices(classes: Any, names: Sequence[str], num_classes: int) -> Tensor:
    if isinstance(classes, bytes | dict) or not isinstance(classes, Iterable):
        raise UsageError(f"labels cannot be {classes!r}", "Give the index or the name of a class per image.")
    return torch.tensor([_index(label, names, num_classes) for label in classes], dtype=torch.int64)


def _index(label: Any, names: Sequence[str], num_classes: int) -> int:
    if isinstance(label, np.ndarray | Tensor) and label.ndim == 0:
        label = label.item()
    if isinstance(label, str):
        return number_of(label, names)
    if isinstance(label, bool | np.bool) or not isinstance(label, int | np.integer):
        raise UsageError(f"{label!r} is not a class", _label_hint(num_classes))
    if not 0 <= label < num_classes:
        raise _unknown_label(int(label), num_classes)
    return int(label)


def _require_label_tensor(labels: Tensor, num: int, num_classes: int) -> None:
    dtype = labels.dtype
    if dtype.is_floating_point or dtype.is_complex or dtype == torch.bool:
        raise UsageError(
            f"the labels are {_dtype_name(dtype)}, but a label is a whole number", _label_hint(num_classes)
        )
    if tuple(labels.shape) != (num,):
        raise UsageError(
            f"the labels have the shape {tuple(labels.shape)} for {num} images",
            f"Give one class per image: the shape is ({num},).",
        )


def number_of(name: str, names: Sequence[str]) -> int:
    """Return the index of the class with this name. Raises ``UsageError`` if the name is unknown."""
    if name in names:
        return names.index(name)
    close = close_names(name, names)
    hint = did_you_mean(name, close or names)
    if len(names) > MOST_NAMED and not close:
        hint = f"There are {len(names):,} classes; the model's card.json lists them."
    raise UsageError(f"there is no class {printable(name)!r}", printable(hint))


def _unknown_label(label: int, num_classes: int) -> UsageError:
    return UsageError(
        f"there is no class with the label {label}: labels are from 0 to {num_classes - 1}",
        _label_hint(num_classes),
    )


def _label_hint(num_classes: int) -> str:
    return f"Give numbers from 0 to {num_classes - 1}, or class names."


def _dtype_name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
