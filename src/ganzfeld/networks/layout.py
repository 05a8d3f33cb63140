"""The memory layout of weights, and the ways of computing that go with it."""

from typing import TypeVar

import torch
from torch import nn

from ganzfeld.networks.strided import DIRECT, FOR_IMAGES, StridedTransposedConvolution, has_product

FEW_CHANNELS = 4

_CHANNELS_LAST = {4: torch.channels_last, 5: torch.channels_last_3d}

Network = TypeVar("Network", bound=nn.Module)


def lay_out(network: Network, channels_last: bool = True) -> Network:
    """Convert the weights of convolutions to channels last, or to torch's default layout; return the network.

    The results of the two differ by rounding; channels last is faster on most chips.
    """
    for parameter in network.parameters():
        layout = _CHANNELS_LAST.get(parameter.dim()) if channels_last else None
        parameter.data = parameter.data.contiguous(memory_format=layout or torch.contiguous_format)
    return network


def for_making_images(generator: Network) -> Network:
    """Put a generator in eval mode, with the layout and ways that are fast for making images; return it.

    The choice is fixed, not measured, so that a seed gives the same image wherever the model is loaded. The
    last layer, which has the few channels of an image, is computed block by block ("subpixel").
    """
    for module in generator.modules():
        if isinstance(module, StridedTransposedConvolution):
            few = module.out_channels <= FEW_CHANNELS and has_product(module.kernel_size, module.stride)
            module.ways = FOR_IMAGES if few else DIRECT
    return lay_out(generator).eval()
