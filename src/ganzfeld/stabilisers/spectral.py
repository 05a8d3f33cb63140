"""Spectral normalisation of the whole discriminator, in addition to the normalisation of its activations.

With ``discriminator.normalisation`` set to ``"spectral"`` or ``"spectral-layer"``, the same constraint takes
the place of another normalisation.
"""

from typing import Literal, final

from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

from ganzfeld.networks.normalisations import spectral_layer
from ganzfeld.stabilisers._base import Stabiliser as Base


@final
class Stabiliser(Base):
    """Divides the weights of every convolution and linear layer by a largest singular value.

    ``of`` names the matrix: "kernel" is the kernel reshaped to a matrix (Miyato et al. 2018), "layer" is the
    linear map that the layer applies to an image (see ``ganzfeld.networks.normalisations.spectral_layer``).
    """

    of: Literal["kernel", "layer"] = "kernel"

    def prepare(self, discriminator: nn.Module) -> None:
        """Constrain each weight that is not constrained yet, except the gains of normalisations."""
        for module in list(discriminator.modules()):
            weight = getattr(module, "weight", None)
            if isinstance(weight, nn.Parameter) and weight.dim() > 1:
                if self.of == "layer":
                    spectral_layer.constrain(module)
                else:
                    spectral_norm(module)
