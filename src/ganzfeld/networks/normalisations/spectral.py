"""Spectral normalisation: weights divided by their largest singular value (Miyato et al. 2018).

The value comes from one step of power iteration at every forward pass in training mode.
"""

from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

ACROSS_PICTURES = False
ON_WEIGHTS = True
CENTRES = False


def normalise(layer: nn.Module, channels: int, dims: int) -> list[nn.Module]:
    """The layer with every weight inside it constrained; an already constrained weight stays as it is."""
    for module in list(layer.modules()):
        if isinstance(getattr(module, "weight", None), nn.Parameter):
            spectral_norm(module)
    return [layer]
