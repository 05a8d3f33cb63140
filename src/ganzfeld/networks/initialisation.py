"""The initial weights, as a pure function of a seed."""

import torch
from torch import Tensor, nn

from ganzfeld.networks.blocks import ClassVectors
from ganzfeld.networks.normalisations.spectral import settle

STANDARD_DEVIATION = 0.02
"""The standard deviation of all initial weights; Radford et al. 2015, section 4."""

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
def initialise(network: nn.Module, seed: int, gain_deviation: float = 0.0) -> None:
    """Draw all weights from N(0, 0.02), gains of normalisations from N(1, gain_deviation); set biases to 0.

    Class vectors have their own standard deviation. All numbers are drawn on the CPU in the order of the
    modules, first the weights and then the gains, so they do not depend on the device, nor the weights on
    ``gain_deviation``.
    """
    noise = torch.Generator().manual_seed(seed)
    for module in network.modules():
        if isinstance(module, _WEIGHTED):
            weight = _raw_weight(module)
            weight.copy_(torch.randn(weight.shape, generator=noise) * STANDARD_DEVIATION)
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


def _raw_weight(layer: nn.Module) -> Tensor:
    """Return the weight parameter, which a spectrally normalised layer keeps inside its parametrisation."""
    parameters = dict(layer.named_parameters())
    name = "parametrizations.weight.original"
    return parameters[name if name in parameters else "weight"]
