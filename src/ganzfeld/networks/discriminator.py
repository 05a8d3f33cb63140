"""The discriminator: the generator's ladder walked back by strided convolutions, down to one logit."""

import math
from itertools import pairwise

from torch import Tensor, nn

from ganzfeld.geometry import Plan
from ganzfeld.networks.blocks import Style, at_least_float32, convolution


class Discriminator(nn.Module):
    """Pictures (B, channels, *size) to logits (B,), positive for "real".

    No pooling: the strides of the convolutions shrink the map, and one linear layer reads the flattened seed
    map. Every convolution but the first is normalised (Radford et al. 2015).
    """

    def __init__(
        self,
        plan: Plan,
        *,
        channels: int = 3,
        width: int = 64,
        normalisation: str = "none",
        activation: str = "leaky-relu",
        slope: float = 0.2,
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.plan = plan
        self.channels = channels
        style = Style(normalisation, activation, slope, bias, plan.dims)
        widths = plan.widths(width)[::-1]
        first, *others = plan.layers[::-1]
        shrinking = zip(others, pairwise(widths), strict=True)
        self.layers = nn.Sequential(
            style.unnormalised(convolution(first, channels, widths[0], style.bias), widths[0]),
            style.activation(),
            *(
                style.hidden(convolution(layer, inputs, outs, style.hidden_bias), outs)
                for layer, (inputs, outs) in shrinking
            ),
        )
        self.logit = style.unnormalised(nn.Linear(widths[-1] * math.prod(plan.seed), 1, bias=style.bias), 1)

    def forward(self, pictures: Tensor) -> Tensor:
        """(B, channels, *size) to (B,), in float32 under autocast."""
        return at_least_float32(self.logit(self.layers(pictures).flatten(1)).squeeze(1))
