"""Spectral normalisation of the whole discriminator, on top of whatever normalises its activations.

``discriminator.normalisation = "spectral"`` is the same constraint in place of another normalisation, and
``"spectral-layer"`` constrains the map of a layer instead of its reshaped kernel.
"""

from typing import final

from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

from ganzfeld.stabilisers._base import Stabiliser as Base


@final
class Stabiliser(Base):
    """Divide the weights of every convolution and linear layer by their largest singular value."""

    def prepare(self, discriminator: nn.Module) -> None:
        """Constrain each weight that is not constrained yet; leave gains of normalisations alone."""
        for module in list(discriminator.modules()):
            weight = getattr(module, "weight", None)
            if isinstance(weight, nn.Parameter) and weight.dim() > 1:
                spectral_norm(module)
