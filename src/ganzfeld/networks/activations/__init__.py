"""Activations of the hidden layers, one file each.

An entry defines ``activation(slope) -> nn.Module``; only leaky ones use ``slope`` (for negative values).
"""

from ganzfeld.catalogue import Catalogue

activations = Catalogue("ganzfeld.networks.activations", "activation")
