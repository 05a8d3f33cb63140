"""FID: the Fréchet distance in the feature space of one specific Inception network, and in no other.

Like every Fréchet distance it grows as the number of images shrinks; published figures use 50,000 images.
"""

from dataclasses import replace

from ganzfeld.metrics.comparison import Comparison
from ganzfeld.metrics.intervals import Figure
from ganzfeld.metrics.measures import frechet_distance
from ganzfeld.metrics.spaces import inception

NAMES = {
    "fid": "Fréchet distance in the standard Inception network: 0 is best; published ones use 50,000 images"
}
FEATURES = True
SPACE = inception.SHA256


def measure(comparison: Comparison) -> list[Figure]:
    """Measure the Fréchet distance under the name ``fid``. Source: Heusel et al. 2017, section 3."""
    return [replace(figure, name="fid") for figure in frechet_distance.measure(comparison)]
