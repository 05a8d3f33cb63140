"""Output activations of the generator, one file each: they map real numbers to the range of images, [-1, 1].

An entry defines ``output() -> nn.Module``. It is always computed in float32: in bfloat16 the gradient of tanh
is exactly zero for abs(a) >= 3.47.
"""

from ganzfeld.catalogue import Catalogue

outputs = Catalogue("ganzfeld.networks.outputs", "output")
