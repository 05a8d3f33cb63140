"""Detectors: what can be wrong with a run. Each is one file, named after its finding.

An entry defines

- ``find(run) -> Finding | None``: a pure function of the run's evidence; the finding has the name of the
  file;
- ``READINGS``: the names of the series that the detector looks at. If one is missing, it uses the others.
  Empty if the facts known before training are enough;
- optional: ``applies(run) -> bool``, for a finding that has no meaning for some runs, such as those without
  classes;
- optional: ``cannot_tell(run) -> str | None``: what the readings do not show at this stage, for ``unjudged``.

``ganzfeld.health.symptoms`` decides whether a reading is outside its healthy range. The ranges come from
``ganzfeld.health.limits``, which holds what healthy runs have shown; detectors have no thresholds of their
own.
"""

from ganzfeld.catalogue import Catalogue

detectors = Catalogue("ganzfeld.health.detectors", "detector")
