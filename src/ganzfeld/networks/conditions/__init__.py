"""How the class of an image enters the discriminator, one file each; ``none``: not at all.

The generator is told in one way whichever is chosen: a vector of the class stands beside the latent vector.

An entry defines

- ``PLANES``: how many planes it lays beside the channels of an image;
- ``condition(num_classes, num_features) -> Condition | None``: its part of the network (see ``_base``), for
  classes 0, 1, ... and so many features before the logit; None if it has none.
"""

from ganzfeld.catalogue import Catalogue
from ganzfeld.networks.conditions._base import Condition

__all__ = ["Condition", "conditions"]

conditions = Catalogue("ganzfeld.networks.conditions", "way of classes")
