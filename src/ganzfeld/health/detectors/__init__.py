"""What can be wrong with a training, one file each, named as its finding is.

An entry defines

- ``find(run) -> Finding | None``: a pure function of the run's evidence; the finding is named after the file;
- ``READINGS``: the names of the series that it looks at; where one of them is missing it goes by the others.
  Empty where what was known before training is enough;
- ``applies(run) -> bool``, if it means nothing for some trainings, which then do not hear of it.

Whether a reading is unusual is asked of ``ganzfeld.health.symptoms``.

Limits come from ``ganzfeld.health.limits``, which holds what healthy runs have shown, and are never written
here.
"""

from ganzfeld.catalogue import Catalogue

detectors = Catalogue("ganzfeld.health.detectors", "detector")
