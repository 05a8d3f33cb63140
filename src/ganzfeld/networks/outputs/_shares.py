"""What outputs share whose channels are shares of one whole."""

import torch
from torch import Tensor, nn

_ODD = (-7046029254386353131, -4658895280553007687, -7723592293110705685)
"""The constants of SplitMix64 (Steele, Lea and Flood 2014), as signed numbers."""


class AcrossChannels(nn.Module):
    """The base class of outputs that mix the channels (dimension 1) of every cell."""


class GumbelNoise(nn.Module):
    """Adds standard Gumbel noise that is a function of the latent vector.

    The greatest of the sums is then a letter drawn with the probabilities of a softmax (Gumbel 1954). The
    same latent vector always gives the same noise, on every machine: it is made of whole numbers alone.
    """

    def forward(self, preactivation: Tensor, latents: Tensor) -> Tensor:
        """Add the noise of latents (B, n) to values (B, channels, *size)."""
        keys = _scattered(latents.detach().float().contiguous().view(torch.int32).long())
        places = torch.arange(keys.shape[1], device=keys.device)
        key = _scattered((keys ^ _scattered(places + 1)).sum(1))
        cells = torch.arange(preactivation[0].numel(), device=keys.device)
        bits = _scattered(key[:, None] + _scattered(cells)[None]) >> 40 & 0xFFFFFF
        uniform = (bits.float() + 0.5) / 2**24
        return preactivation - (-uniform.log()).log().view(preactivation.shape)


def _scattered(numbers: Tensor) -> Tensor:
    """Scatter whole numbers by SplitMix64; sums and products of int64 wrap around."""
    numbers = numbers + _ODD[0]
    numbers = (numbers ^ _shifted(numbers, 30)) * _ODD[1]
    numbers = (numbers ^ _shifted(numbers, 27)) * _ODD[2]
    return numbers ^ _shifted(numbers, 31)


def _shifted(numbers: Tensor, bits: int) -> Tensor:
    """Shift to the right, filling with zeros, which torch does not do for signed numbers."""
    return (numbers >> bits) & ((1 << (64 - bits)) - 1)
