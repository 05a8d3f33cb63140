"""The activations inside any network, as functions of torch are called, whether by modules or not."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

_ACTIVATIONS = {
    *("relu", "relu6", "leaky_relu", "prelu", "rrelu", "elu", "selu", "celu", "gelu", "silu", "mish"),
    *("softplus", "softsign", "hardswish", "hardsigmoid", "hardtanh", "tanh", "sigmoid", "clamp", "clip"),
}
"""Names of functions; those that work in place have an underscore at their end."""

_OUTPUTS_ONLY = {"clamp", "clip"}
"""Functions that bound an output, but are no activations of hidden layers."""

_ENLARGING = {"conv_transpose2d", "interpolate", "upsample", "pixel_shuffle"}


@dataclass(frozen=True)
class Enlargement:
    """A layer that enlarges a map: its stride and, for a transposed convolution, its kernel."""

    stride: tuple[int, ...]
    kernel: tuple[int, ...] | None = None


@dataclass(frozen=True)
class ActivationTrace:
    """What was called during a pass.

    ``hidden`` are the activated maps (B, C, ...) in order, ``final`` is the output activation, None if the
    output is not that of an activation, and ``enlargements`` are the layers that enlarge maps.
    """

    output: Tensor
    hidden: tuple[Tensor, ...]
    final: nn.Module | None
    enlargements: tuple[Enlargement, ...]


class _Recorder(TorchFunctionMode):
    """Keeps the results of activations, and the factors of the layers that enlarge maps."""

    def __init__(self) -> None:
        super().__init__()
        self.results: list[tuple[str, Tensor, nn.Module | None, int]] = []
        self.enlargements: list[Enlargement] = []

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        result = func(*args, **kwargs)
        name = getattr(func, "__name__", "").rstrip("_")
        if isinstance(result, Tensor) and result.dim() > 1:
            if name in _ACTIVATIONS:
                # A later layer may change the result in place.
                self.results.append((name, result.clone(), _module_of(name, args, kwargs), _place(result)))
            elif name in _ENLARGING and result.dim() == 4 and args and isinstance(args[0], Tensor):
                self.enlargements.append(_enlargement(name, args, kwargs, result))
        return result


def trace_activations(call: Callable[[], Tensor]) -> ActivationTrace:
    """Make a pass and return what was called during it."""
    with _Recorder() as recorder:
        output = call()
    results, final = recorder.results, None
    if results and results[-1][3] == _place(output):
        final = results[-1][2]
        results = results[:-1]
    hidden = tuple(result for name, result, _, _ in results if name not in _OUTPUTS_ONLY)
    return ActivationTrace(output, hidden, final, tuple(recorder.enlargements))


def _place(tensor: Tensor) -> int:
    return tensor.untyped_storage().data_ptr()


def _module_of(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> nn.Module | None:
    """Return an activation with bounds as a module; None for one without."""
    if name == "tanh":
        return nn.Tanh()
    if name == "sigmoid":
        return nn.Sigmoid()
    if name in ("hardtanh", "clamp", "clip"):
        low = _bound(("min_val", "min"), 1, args, kwargs, -1.0 if name == "hardtanh" else None)
        high = _bound(("max_val", "max"), 2, args, kwargs, 1.0 if name == "hardtanh" else None)
        return None if low is None or high is None or low >= high else nn.Hardtanh(low, high)
    return None


def _bound(
    names: tuple[str, ...], position: int, args: tuple[Any, ...], kwargs: dict[str, Any], usual: float | None
) -> float | None:
    value = next((kwargs[name] for name in names if name in kwargs), None)
    value = args[position] if value is None and len(args) > position else value
    return float(value) if isinstance(value, int | float) else usual


def _enlargement(name: str, args: tuple[Any, ...], kwargs: dict[str, Any], result: Tensor) -> Enlargement:
    if name == "conv_transpose2d":
        weight = kwargs.get("weight", args[1] if len(args) > 1 else None)
        stride = kwargs.get("stride", args[3] if len(args) > 3 else 1)
        strides = (stride, stride) if isinstance(stride, int) else tuple(stride)
        strides = 2 * strides if len(strides) == 1 else strides
        return Enlargement(strides, tuple(weight.shape[2:]) if isinstance(weight, Tensor) else None)
    pairs = zip(result.shape[2:], args[0].shape[2:], strict=True)
    return Enlargement(tuple(max(1, round(large / small)) for large, small in pairs))


def last_strides(enlargements: tuple[Enlargement, ...]) -> tuple[int, ...]:
    """Return, for both axes, the last factor above 1 by which a layer enlarges its map; 1 if none does."""
    return tuple(
        next((layer.stride[axis] for layer in enlargements[::-1] if layer.stride[axis] > 1), 1)
        for axis in range(2)
    )


def spans_of(activations: Tensor) -> Tensor:
    """Return the span (C,) of the activations of each channel, as a share of that of the whole layer."""
    reduced_axes = [axis for axis in range(activations.dim()) if axis != 1]
    highest, lowest = activations.amax(reduced_axes), activations.amin(reduced_axes)
    whole = highest.max() - lowest.min()
    return (highest - lowest) / whole.clamp_min(torch.finfo(whole.dtype).tiny)
