"""Measures of sequences: how generated letters differ from real ones, as figures with intervals.

An entry is one file that defines

- ``measure(comparison) -> list[Figure]``: a pure function of an ``ItemComparison``, its seed included; it
  leaves out figures that the alphabet does not have;
- ``NAMES``: one sentence for each figure that it may return, with the meaning of the number and its range;
- ``IS_DISTANCE``: whether 0 is best and more is worse, so that a baseline can win.
"""

from ganzfeld.catalogue import Catalogue

sequence_measures = Catalogue("ganzfeld.metrics.sequences", "metric of sequences")
