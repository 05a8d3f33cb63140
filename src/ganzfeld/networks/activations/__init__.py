"""Activations of the hidden layers, one file each.

An entry defines ``activation(slope) -> nn.Module``; only leaky ones use the slope (of the negative side).
"""

from ganzfeld.catalogue import Catalogue

activations = Catalogue("ganzfeld.networks.activations", "activation")
