"""Priors of the latent vector, one file each.

An entry defines ``sample(num, size, noise) -> Tensor`` of shape (num, size), float32, drawn only from
``noise``, and ``variance(size)``, the variance of one component.
"""

from ganzfeld.catalogue import Catalogue

priors = Catalogue("ganzfeld.latent.priors", "prior")
