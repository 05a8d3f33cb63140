"""Measures of maps: how generated fields differ from real ones, in the units of the data, with intervals.

An entry is one file that defines

- ``measure(comparison) -> list[Figure]``: a pure function of an ``ItemComparison``, its seed included; it
  leaves out figures that the data do not have, such as correlations of a single channel;
- ``NAMES``: one sentence for each figure that it may return, with the meaning of the number and its range;
- ``IS_DISTANCE``: whether 0 is best and more is worse, so that a baseline can win.
"""

from ganzfeld.catalogue import Catalogue

map_measures = Catalogue("ganzfeld.metrics.maps", "metric of maps")
