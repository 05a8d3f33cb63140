"""Generator and discriminator, built from a plan in one, two or three dimensions.

The choices of each side are entries: ``normalisations/``, ``activations/`` and (generator only) ``outputs/``.
"""

from ganzfeld.networks.discriminator import Discriminator
from ganzfeld.networks.generator import Generator
from ganzfeld.networks.initialisation import initialise

__all__ = ["Discriminator", "Generator", "initialise"]
