"""The pieces both networks are made of: convolutions of any dimension, the projection, the hidden layer."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ganzfeld.errors import UsageError
from ganzfeld.geometry import Layer
from ganzfeld.networks.activations import activations
from ganzfeld.networks.normalisations import normalisations
from ganzfeld.networks.strided import StridedConvolution, StridedTransposedConvolution

_CONVOLUTIONS = {1: nn.Conv1d, 2: StridedConvolution, 3: nn.Conv3d}
_TRANSPOSED = {1: nn.ConvTranspose1d, 2: StridedTransposedConvolution, 3: nn.ConvTranspose3d}


def convolution(layer: Layer, inputs: int, outputs: int, bias: bool) -> nn.Module:
    """The strided convolution from ``layer.large`` to ``layer.small``."""
    return _CONVOLUTIONS[len(layer.large)](
        inputs, outputs, layer.kernel, layer.stride, layer.padding, bias=bias
    )


def transposed_convolution(layer: Layer, inputs: int, outputs: int, bias: bool) -> nn.Module:
    """The transposed convolution from ``layer.small`` to ``layer.large``."""
    return _TRANSPOSED[len(layer.large)](
        inputs, outputs, layer.kernel, layer.stride, layer.padding, bias=bias
    )


class Projection(nn.Module):
    """Latent vectors (B, n) to seed maps (B, channels, *seed), linearly."""

    def __init__(self, latent_size: int, channels: int, seed: Sequence[int], bias: bool) -> None:
        super().__init__()
        self.shape = [channels, *seed]  # a list, for TorchScript
        self.linear = nn.Linear(latent_size, math.prod(self.shape), bias=bias)

    def forward(self, latents: Tensor) -> Tensor:
        """(B, n) to (B, channels, *seed)."""
        return self.linear(latents).unflatten(1, self.shape)


class ClassVectors(nn.Embedding):
    """Labels (B,) to one learnt vector (B, size) a class; ``deviation`` is that of its initial numbers."""

    def __init__(self, num_classes: int, size: int, deviation: float) -> None:
        super().__init__(num_classes, size)
        self.deviation = deviation


def require_labels(num_classes: int, labels: object | None) -> None:
    """Raise ``UsageError`` if a network with classes is given no labels, or one without is given some."""
    if num_classes and labels is None:
        raise UsageError(
            f"this network knows {num_classes} classes and was given no labels",
            "Give a class for each of the batch as the second argument: labels of shape (B,).",
        )
    if labels is not None and not num_classes:
        raise UsageError(
            "this network knows no classes and was given labels", "Leave the second argument out."
        )


def at_least_float32(numbers: Tensor) -> Tensor:
    """Half precision widened to float32; float32 and float64 as they are."""
    half = numbers.dtype == torch.float16 or numbers.dtype == torch.bfloat16
    return numbers.float() if half else numbers


class Style:
    """The choices one network makes for its hidden layers: normalisation, activation, bias."""

    def __init__(self, normalisation: str, activation: str, slope: float, bias: bool, dims: int) -> None:
        if not 0 <= slope <= 1:
            raise UsageError(f"slope {slope} is out of range: the slope of the negative side is from 0 to 1")
        self._normalisation = normalisations.load(normalisation)
        self._activation = activations.load(activation)
        self._slope = slope
        self._dims = dims
        self.bias = bias
        self.hidden_bias = bias and not self._normalisation.CENTRES

    def hidden(self, layer: nn.Module, channels: int) -> nn.Sequential:
        """A layer, normalised, and its activation."""
        return nn.Sequential(*self._normalisation.normalise(layer, channels, self._dims), self.activation())

    def unnormalised(self, layer: nn.Module, channels: int) -> nn.Module:
        """A layer whose activations stay free; only a constraint on weights applies to it."""
        if self._normalisation.ON_WEIGHTS:
            self._normalisation.normalise(layer, channels, self._dims)
        return layer

    def activation(self) -> nn.Module:
        """A new activation module."""
        return self._activation.activation(self._slope)
