"""Spectral normalisation of the whole discriminator, on top of whatever normalises its activations.

``discriminator.normalisation = "spectral"`` or ``"spectral-layer"`` is the same constraint in place of another
normalisation.
"""

from typing import Literal, final

from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

from ganzfeld.networks.normalisations import spectral_layer
from ganzfeld.stabilisers._base import Stabiliser as Base


@final
class Stabiliser(Base):
    """Divide the weights of every convolution and linear layer by their largest singular value.

    ``of`` says of what: "kernel" is the kernel reshaped to a matrix (Miyato et al. 2018), "layer" the linear
    map that the layer applies to an image (see ``ganzfeld.networks.normalisations.spectral_layer``).
    """

    of: Literal["kernel", "layer"] = "kernel"

    def prepare(self, discriminator: nn.Module) -> None:
        """Constrain each weight that is not constrained yet; leave gains of normalisations alone."""
        for module in list(discriminator.modules()):
            weight = getattr(module, "weight", None)
            if isinstance(weight, nn.Parameter) and weight.dim() > 1:
                if self.of == "layer":
                    spectral_layer.constrain(module)
                else:
                    spectral_norm(module)
