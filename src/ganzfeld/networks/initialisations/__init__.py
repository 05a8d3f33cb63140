"""How far the initial weights of a layer spread, one file each; all are drawn from a normal distribution.

An entry defines ``deviation(fan_in, fan_out, passed) -> float``: the standard deviation of the weights of a
layer in which ``fan_in`` inputs reach every output and every input reaches ``fan_out`` outputs. ``passed`` is
the mean square that the activation before the layer leaves of standard normal numbers; see ``passed_by``.
"""

import torch

from ganzfeld.catalogue import Catalogue
from ganzfeld.networks.activations import activations

initialisations = Catalogue("ganzfeld.networks.initialisations", "initialisation")

_NUM_QUANTILES = 10_001


def passed_by(activation: str, slope: float) -> float:
    """Return the mean square of an activation of standard normal numbers: 1/2 for relu, 1 for none.

    >>> round(passed_by("relu", 0.2), 3), round(passed_by("leaky-relu", 0.2), 3)
    (0.5, 0.52)
    """
    shares = (torch.arange(_NUM_QUANTILES, dtype=torch.float64) + 0.5) / _NUM_QUANTILES
    normal = torch.special.ndtri(shares)
    with torch.no_grad():
        return float(activations.load(activation).activation(slope)(normal).square().mean())
