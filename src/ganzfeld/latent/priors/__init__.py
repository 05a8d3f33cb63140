"""Priors of the latent vector, one file each.

An entry defines

- ``sample(num, size, noise) -> Tensor`` of shape (num, size), float32, drawn only from ``noise``;
- ``variance(size)``, the variance of one component;
- ``path(start, end, share) -> Tensor``: points (n, size) between latents (n, size) or (1, size), at the
  fractions ``share`` (n, 1) from 0 to 1, such that a generator is as used to them as to draws;
- ``onto(latents) -> Tensor``: the nearest latents (n, size) that the prior can draw.
"""

from ganzfeld.catalogue import Catalogue

priors = Catalogue("ganzfeld.latent.priors", "prior")
