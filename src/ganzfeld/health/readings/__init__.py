"""What is read from a live training, one file each.

An entry defines

- ``read(probe) -> dict[str, Tensor | float]``: scalars by name, on the device (one synchronisation reads
  them all), changing nothing: no weights, no buffers, no gradients, no random state;
- ``PASSES``: whether it looks at images or sends any through a network, which costs as much as some steps;
  what does without is read more often;
- ``NAMES``: for each name one sentence that says what the number means and its range.

A name is given once in the whole folder. Where a reading means nothing (batch leak without statistics across
the batch), it is left out of the result.
"""

from ganzfeld.catalogue import Catalogue

readings = Catalogue("ganzfeld.health.readings", "reading")
