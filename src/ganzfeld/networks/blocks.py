"""The parts of both networks: convolutions in one to three dimensions, the base map, the hidden layer."""

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
    """Build the strided convolution from ``layer.large`` to ``layer.small``."""
    return _CONVOLUTIONS[len(layer.large)](
        inputs, outputs, layer.kernel, layer.stride, layer.padding, bias=bias
    )


def transposed_convolution(layer: Layer, inputs: int, outputs: int, bias: bool) -> nn.Module:
    """Build the transposed convolution from ``layer.small`` to ``layer.large``."""
    return _TRANSPOSED[len(layer.large)](
        inputs, outputs, layer.kernel, layer.stride, layer.padding, bias=bias
    )


class BaseMap(nn.Module):
    """Maps latent vectors (B, n) linearly to base maps (B, channels, *seed)."""

    def __init__(self, latent_size: int, channels: int, seed: Sequence[int], bias: bool) -> None:
        super().__init__()
        self.shape = [channels, *seed]  # a list, for TorchScript
        self.linear = nn.Linear(latent_size, math.prod(self.shape), bias=bias)

    def forward(self, latents: Tensor) -> Tensor:
        """Map latents (B, n) to base maps (B, channels, *seed)."""
        return self.linear(latents).unflatten(1, self.shape)


class ClassVectors(nn.Embedding):
    """Maps labels (B,) to learnt vectors (B, size), one per class, drawn with standard ``deviation``."""

    def __init__(self, num_classes: int, size: int, deviation: float) -> None:
        super().__init__(num_classes, size)
        self.deviation = deviation


def require_labels(num_classes: int, labels: object | None) -> None:
    """Raise ``UsageError`` if a network with classes gets no labels, or one without classes gets some."""
    if num_classes and labels is None:
        raise UsageError(
            f"this network has {num_classes} classes, but no labels were given",
            "Give the class of each image as the second argument: labels of shape (B,).",
        )
    if labels is not None and not num_classes:
        raise UsageError("this network has no classes, but labels were given", "Omit the second argument.")


def at_least_float32(tensor: Tensor) -> Tensor:
    """Convert half precision to float32; return float32 and float64 unchanged."""
    half = tensor.dtype == torch.float16 or tensor.dtype == torch.bfloat16
    return tensor.float() if half else tensor


class Style:
    """The normalisation, activation and bias that a network uses in its hidden layers."""

    def __init__(self, normalisation: str, activation: str, slope: float, bias: bool, dims: int) -> None:
        if not 0 <= slope <= 1:
            raise UsageError(f"slope {slope} is out of range: the slope for negative values is from 0 to 1")
        self._normalisation = normalisations.load(normalisation)
        self._activation = activations.load(activation)
        self._slope = slope
        self._dims = dims
        self.bias = bias
        self.hidden_bias = bias and not self._normalisation.CENTRES

    def hidden(self, layer: nn.Module, channels: int) -> nn.Sequential:
        """Return a layer followed by its normalisation and activation."""
        return nn.Sequential(*self._normalisation.normalise(layer, channels, self._dims), self.activation())

    def unnormalised(self, layer: nn.Module, channels: int) -> nn.Module:
        """Return a layer without normalised activations; only a constraint on weights applies to it."""
        if self._normalisation.ON_WEIGHTS:
            self._normalisation.normalise(layer, channels, self._dims)
        return layer

    def activation(self) -> nn.Module:
        """Return a new activation module."""
        return self._activation.activation(self._slope)
