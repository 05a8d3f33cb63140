"""Normalisations, one file each.

An entry defines

- ``normalise(layer, channels, dims) -> list[nn.Module]``: the layer (a convolution or the projection onto the
  base map) followed by the modules that normalise its output, or the layer with constrained weights;
- ``ACROSS_IMAGES``: whether the output for an image depends on the other images of its batch;
- ``ON_WEIGHTS``: whether it constrains weights (of every layer, including the first and the last) rather than
  activations (except the generator's output and the discriminator's input, as in Radford et al. 2015);
- ``CENTRES``: whether it ends in a learnt shift, which makes a bias before it redundant.
"""

from ganzfeld.catalogue import Catalogue

normalisations = Catalogue("ganzfeld.networks.normalisations", "normalisation")
