"""The generator: a latent vector is projected onto the base map, which transposed convolutions enlarge."""

from itertools import pairwise
from typing import ClassVar

import torch
import torch.fx
from torch import Tensor, nn

from ganzfeld.geometry import Plan
from ganzfeld.networks.arguments import Labels, is_recorded, labels_of, require_latents
from ganzfeld.networks.blocks import (
    BaseMap,
    ClassVectors,
    Style,
    at_least_float32,
    require_labels,
    transposed_convolution,
)
from ganzfeld.networks.outputs import GumbelNoise, draws, outputs

torch.fx.wrap("at_least_float32")  # it branches on the dtype, which is not known during a trace


class Generator(nn.Module):
    """Maps latents (B, n) to images (B, channels, *size) with values in the interval of its output, [-1, 1].

    ``plan`` gives the ladder, ``width`` the number of channels before the last layer; the number doubles
    towards the base map, up to eight times ``width``. Every layer except the last is followed by a
    normalisation and an activation (Radford et al. 2015). The output activation is always computed in
    float32. With ``num_classes``, a learnt vector of ``class_size`` numbers is concatenated to the latent
    vector; as an input, it is not normalised. ``class_names`` are the names of the classes, if known.
    """

    class_names: tuple[str, ...] = ()
    __jit_ignored_attributes__: ClassVar = ["class_names"]

    def __init__(
        self,
        plan: Plan,
        *,
        channels: int = 3,
        latent_size: int = 100,
        width: int = 64,
        normalisation: str = "batch",
        activation: str = "relu",
        slope: float = 0.2,
        output: str = "tanh",
        bias: bool = True,
        num_classes: int = 0,
        class_size: int = 0,
    ) -> None:
        super().__init__()
        self.plan = plan
        self.channels = channels
        self.latent_size = latent_size
        self.num_classes = num_classes
        self.width = width
        # Small compared with the latent vector: if the class vector is large from the start, the generator
        # learns it instead of the latents, and all images of a class look alike (docs/log.md).
        self.classes = ClassVectors(num_classes, class_size, deviation=0.1) if num_classes else None
        style = Style(normalisation, activation, slope, bias, plan.dims)
        widths = plan.widths(width)
        self.projection = style.hidden(
            BaseMap(latent_size + class_size, widths[0], plan.seed, style.hidden_bias), widths[0]
        )
        growing = zip(plan.layers[:-1], pairwise(widths), strict=True)
        self.layers = nn.Sequential(
            *(
                style.hidden(transposed_convolution(layer, inputs, outs, style.hidden_bias), outs)
                for layer, (inputs, outs) in growing
            ),
            style.unnormalised(
                transposed_convolution(plan.layers[-1], widths[-1], channels, style.bias), channels
            ),
        )
        self.noise = GumbelNoise() if draws(output) else None
        self.output = outputs.load(output).output()

    def __call__(self, latents: Tensor, labels: Labels | None = None) -> Tensor:
        """Make images (B, channels, *size) from latents (B, latent_size), or (B, latent_size, 1, 1).

        With classes, ``labels`` gives the class of each image: a tensor, array or list (B,) of indices from
        0 or of names, or one index or name for all images. Raises ``UsageError`` for invalid arguments.
        """
        if is_recorded(latents):
            return super().__call__(latents, labels)
        # In training, values that are not finite are found in the losses and gradients, and reported there.
        weight = next(self.parameters())
        require_latents(latents, self.latent_size, weight, finite=not self.training)
        require_labels(self.num_classes, labels)
        if labels is not None:
            labels = labels_of(
                labels, len(latents), self.class_names, self.num_classes, waits=not self.training
            ).to(latents.device)
        return super().__call__(latents, labels)

    def forward(self, latents: Tensor, labels: Tensor | None = None) -> Tensor:
        """Compute the images after the arguments of a call were checked; labels (B,) are int64."""
        latents = latents.flatten(1)
        drawn = latents
        if self.classes is not None:
            if not torch.jit.is_scripting():  # pyright: ignore[reportPrivateImportUsage]
                require_labels(self.num_classes, labels)
            assert labels is not None
            latents = torch.cat((latents, self.classes(labels)), 1)
        values = at_least_float32(self.layers(self.projection(latents)))
        if self.noise is not None:
            values = self.noise(values, drawn)
        return self.output(values)
