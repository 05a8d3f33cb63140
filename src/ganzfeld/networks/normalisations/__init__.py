"""Normalisations, one file each.

An entry defines

- ``normalise(layer, channels, dims) -> list[nn.Module]``: the layer (a convolution or the projection onto the
  seed map) followed by whatever normalises its output, or the layer with constrained weights;
- ``ACROSS_IMAGES``: whether the output for one image depends on the others of its batch;
- ``ON_WEIGHTS``: whether it constrains weights (then every layer takes part, the first and the last too)
  rather than activations (then the generator's output and the discriminator's input stay free, as in
  Radford et al. 2015);
- ``CENTRES``: whether it ends in a learnt shift, which makes a bias before it redundant.
"""

from ganzfeld.catalogue import Catalogue

normalisations = Catalogue("ganzfeld.networks.normalisations", "normalisation")
