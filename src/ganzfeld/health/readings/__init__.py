"""Health readings of a live run, one group per file.

An entry defines

- ``read(probe) -> dict[str, Tensor | float]``: scalars by name, on the device, so that one synchronisation
  fetches them all. It changes no weights, buffers, gradients or random state;
- ``PASSES``: whether it needs images or forward passes, which cost as much as several steps. Entries that do
  not are read more often;
- ``NAMES``: one sentence for each name, with the meaning of the number and its range.

Names are unique within the folder. A reading that has no meaning for a run, such as the batch leak without
batch statistics, is left out of the result.
"""

from ganzfeld.catalogue import Catalogue

readings = Catalogue("ganzfeld.health.readings", "reading")
