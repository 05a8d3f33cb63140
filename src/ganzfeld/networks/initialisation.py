"""Initial weights, a pure function of a seed."""

import torch
from torch import nn

STANDARD_DEVIATION = 0.02
"""Of all initial weights; Radford et al. 2015, section 4."""

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

    The draws are made on the processor in the order of the modules, so they do not depend on the device.
    """
    noise = torch.Generator().manual_seed(seed)
    for module in network.modules():
        if isinstance(module, _WEIGHTED):
            # A spectrally normalised layer keeps its raw weight among the parameters of its parametrisation.
            weight = dict(module.named_parameters()).get("parametrizations.weight.original", module.weight)
            weight.copy_(torch.randn(weight.shape, generator=noise) * STANDARD_DEVIATION)
            if module.bias is not None:
                module.bias.zero_()
