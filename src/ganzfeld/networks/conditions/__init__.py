"""The ways in which the class of an image enters the discriminator, one file each; ``none``: not at all.

The generator always receives the class in the same way: as a class vector beside the latent vector.

An entry defines

- ``PLANES``: the number of planes that it adds to the channels of an image;
- ``condition(num_classes, num_features) -> Condition | None``: its part of the network (see ``_base``) for
  the classes 0, 1, ... and this number of features before the logit; None if it has no part.
"""

from ganzfeld.catalogue import Catalogue
from ganzfeld.networks.conditions._base import Condition

__all__ = ["Condition", "conditions"]

conditions = Catalogue("ganzfeld.networks.conditions", "class condition")
