"""Output activations of the generator, one file each: from any real number to the range of images, [-1, 1].

An entry defines ``output() -> nn.Module``. It always works in float32: in bfloat16 the gradient of tanh is
exactly zero from abs(a) = 3.47 on.
"""

from ganzfeld.catalogue import Catalogue

outputs = Catalogue("ganzfeld.networks.outputs", "output")
