"""Output activations of the generator, one file each: from real numbers to the range of the data.

An entry defines ``INTERVAL``, the least and greatest value that it reaches (images need [-1, 1]), and
``output() -> nn.Module``. It is always computed in float32: in bfloat16 the gradient of tanh is exactly zero
for abs(a) >= 3.47. An entry may also define ``SUMS_TO_ONE = True``, if the channels of a cell are shares of
one whole (its module is then an ``AcrossChannels``), and ``DRAWS = True``, if noise is added to what it gets:
noise that is a function of the latent vector, so that a seed still gives one sample.
"""

from ganzfeld.catalogue import Catalogue
from ganzfeld.networks.outputs._shares import AcrossChannels, GumbelNoise

__all__ = ["AcrossChannels", "GumbelNoise", "covering", "covers", "draws", "outputs", "sums_to_one"]

outputs = Catalogue("ganzfeld.networks.outputs", "output")


def sums_to_one(name: str) -> bool:
    """Return whether the channels of a cell are shares of one whole."""
    return getattr(outputs.load(name), "SUMS_TO_ONE", False)


def draws(name: str) -> bool:
    """Return whether noise is added to what the output gets."""
    return getattr(outputs.load(name), "DRAWS", False)


def covers(name: str, interval: tuple[float, float], shares: bool) -> bool:
    """Return whether an output reaches all of an interval, as shares of one whole or not."""
    low, high = outputs.load(name).INTERVAL
    return low <= interval[0] and interval[1] <= high and sums_to_one(name) == shares


def covering(interval: tuple[float, float], shares: bool) -> list[str]:
    """Return the names of the outputs that reach all of an interval, as shares of one whole or not."""
    return [name for name in outputs.names() if covers(name, interval, shares)]
