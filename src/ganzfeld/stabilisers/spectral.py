"""Spectral normalisation of the whole discriminator, in addition to the normalisation of its activations.

``discriminator.normalisation = "spectral"`` applies the same constraint in place of another normalisation.
"""

from typing import final

from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

from ganzfeld.stabilisers._base import Stabiliser as Base


@final
class Stabiliser(Base):
    """Divides the weights of every convolution and linear layer by their largest singular value."""

    def prepare(self, discriminator: nn.Module) -> None:
        """Constrain each weight that is not constrained yet, except the gains of normalisations."""
        for module in list(discriminator.modules()):
            weight = getattr(module, "weight", None)
            if isinstance(weight, nn.Parameter) and weight.dim() > 1:
                spectral_norm(module)
