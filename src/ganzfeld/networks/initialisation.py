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


@torch.no_grad()
def initialise(network: nn.Module, seed: int) -> None:
    """Draw all weights from N(0, 0.02) and set all biases to zero; normalisations keep gain 1 and shift 0.

    Class vectors have their own standard deviation. The weights are drawn on the CPU in the order of the
    modules, so they do not depend on the device.
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
    settle(network)


def _raw_weight(layer: nn.Module) -> Tensor:
    """Return the weight parameter, which a spectrally normalised layer keeps inside its parametrisation."""
    parameters = dict(layer.named_parameters())
    name = "parametrizations.weight.original"
    return parameters[name if name in parameters else "weight"]
