"""FID: the Fréchet distance in the feature space of one certain Inception network, and in no other.

Like every Fréchet distance it grows as counts shrink; those that are published are of 50,000 images.
"""

from dataclasses import replace

from ganzfeld.metrics.comparison import Comparison
from ganzfeld.metrics.intervals import Figure
from ganzfeld.metrics.measures import frechet_distance
from ganzfeld.metrics.spaces import inception

NAMES = {"fid": "Fréchet distance in the standard Inception network: 0 is best; published ones are of 50,000"}
FEATURES = True
SPACE = inception.SHA256


def measure(comparison: Comparison) -> list[Figure]:
    """The distance by its name in this space. Source: Heusel et al. 2017, section 3."""
    return [replace(figure, name="fid") for figure in frechet_distance.measure(comparison)]
