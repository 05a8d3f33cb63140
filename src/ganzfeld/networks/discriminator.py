"""The discriminator: strided convolutions down the generator's ladder in reverse, to one logit."""

import math
from itertools import pairwise

from torch import Tensor, nn

from ganzfeld.geometry import Plan
from ganzfeld.networks.blocks import Style, at_least_float32, convolution, require_labels
from ganzfeld.networks.conditions import Condition, conditions


class Discriminator(nn.Module):
    """Maps images (B, channels, *size) to logits (B,), positive for "real".

    There is no pooling: the strides of the convolutions shrink the map, and one linear layer takes the
    flattened base map. Every convolution except the first is normalised (Radford et al. 2015). With
    ``num_classes``, the logit says whether an image is a real image of its class; ``classes`` names the way
    in which the class enters.
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
        classes: str = "none",
        num_classes: int = 0,
    ) -> None:
        super().__init__()
        self.plan = plan
        self.channels = channels
        self.num_classes = num_classes
        way = conditions.load(classes)
        style = Style(normalisation, activation, slope, bias, plan.dims)
        widths = plan.widths(width)[::-1]
        first, *others = plan.layers[::-1]
        shrinking = zip(others, pairwise(widths), strict=True)
        self.layers = nn.Sequential(
            style.unnormalised(convolution(first, channels + way.PLANES, widths[0], style.bias), widths[0]),
            style.activation(),
            *(
                style.hidden(convolution(layer, inputs, outs, style.hidden_bias), outs)
                for layer, (inputs, outs) in shrinking
            ),
        )
        features = widths[-1] * math.prod(plan.seed)
        self.logit = style.unnormalised(nn.Linear(features, 1, bias=style.bias), 1)
        self.condition: Condition | None = way.condition(num_classes, features)
        if self.condition is not None:
            style.unnormalised(self.condition, 1)

    def forward(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        """Compute the logits (B,) of images (B, channels, *size), in float32 even under autocast.

        With classes, ``labels`` (B,) are the classes of the images.
        """
        require_labels(self.num_classes, labels)
        if self.condition is not None and labels is not None:
            images = self.condition.add_planes(images, labels)
        features = self.layers(images).flatten(1)
        logits = at_least_float32(self.logit(features).squeeze(1))
        if self.condition is not None and labels is not None:
            logits = self.condition.adjust_logits(logits, at_least_float32(features), labels)
        return logits
