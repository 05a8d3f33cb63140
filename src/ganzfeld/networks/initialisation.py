"""The initial weights, as a pure function of a seed."""

import math

import torch
from torch import Tensor, nn

from ganzfeld.networks.blocks import ClassVectors
from ganzfeld.networks.initialisations import initialisations
from ganzfeld.networks.normalisations.spectral import settle

_WEIGHTED = (
    nn.Linear,
    nn.Conv1d,
    nn.Conv2d,
    nn.Conv3d,
    nn.ConvTranspose1d,
    nn.ConvTranspose2d,
    nn.ConvTranspose3d,
)

_NORMALISING = (nn.modules.batchnorm._NormBase, nn.GroupNorm, nn.LayerNorm)


@torch.no_grad()
def initialise(
    network: nn.Module,
    seed: int,
    gain_deviation: float = 0.0,
    initialisation: str = "normal",
    passed: float = 1.0,
) -> None:
    """Draw all weights from normal distributions, gains from N(1, gain_deviation); set biases to 0.

    ``initialisation`` names the entry of ``initialisations`` that says how far the weights of a layer spread;
    ``passed`` is what the activation of the network passes, see ``initialisations.passed_by``. Class vectors
    have their own standard deviation. All numbers are drawn on the CPU in the order of the modules, first the
    weights and then the gains, so they do not depend on the device, nor the weights on ``gain_deviation``.
    """
    noise = torch.Generator().manual_seed(seed)
    for module in network.modules():
        if isinstance(module, _WEIGHTED):
            weight = _raw_weight(module)
            deviation = initialisations.load(initialisation).deviation(*_fans(module), passed)
            weight.copy_(torch.randn(weight.shape, generator=noise) * deviation)
            if module.bias is not None:
                module.bias.zero_()
        elif isinstance(module, ClassVectors):
            weight = _raw_weight(module)
            weight.copy_(torch.randn(weight.shape, generator=noise) * module.deviation)
    for module in network.modules():
        if gain_deviation and isinstance(module, _NORMALISING) and module.weight is not None:
            drawn = torch.randn(module.weight.shape, generator=noise)
            module.weight.copy_(1 + gain_deviation * drawn)
    settle(network)


def _fans(layer: nn.Module) -> tuple[float, float]:
    """Return how many inputs reach one output of a layer, and how many outputs one input reaches."""
    if isinstance(layer, nn.Linear):
        return layer.in_features, layer.out_features
    assert isinstance(layer, nn.modules.conv._ConvNd)
    kernel, stride = math.prod(layer.kernel_size), math.prod(layer.stride)
    # A convolution gathers a whole kernel of inputs; a transposed one spreads a whole kernel of outputs.
    if layer.transposed:
        return layer.in_channels * kernel / stride, layer.out_channels * kernel
    return layer.in_channels * kernel, layer.out_channels * kernel / stride


def _raw_weight(layer: nn.Module) -> Tensor:
    """Return the weight parameter, which a spectrally normalised layer keeps inside its parametrisation."""
    parameters = dict(layer.named_parameters())
    name = "parametrizations.weight.original"
    return parameters[name if name in parameters else "weight"]
