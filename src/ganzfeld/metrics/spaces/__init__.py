"""Feature spaces: what turns pictures into vectors whose distances mean something.

An entry is one file that defines

- ``SHA256``: the digest of its weights, which no other weights pass;
- ``SIZE_PX``: what pictures are resized to, on both sides;
- ``NUM_FEATURES``: the length of a vector;
- ``require()``: raises ``ResourceError`` where it is not installed;
- ``features(pictures) -> Tensor``: float32 (N, NUM_FEATURES) of uint8 (N, height, width, 1 or 3), drawing
  nothing from any random state.

Figures of two spaces cannot be compared, so every figure names its space and the digest.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from ganzfeld.catalogue import Catalogue

spaces = Catalogue("ganzfeld.metrics.spaces", "feature space")

DEFAULT = "efficientnet-lite0"
NONE = "none"
VARIABLE = "GANZFELD_FEATURES"


@dataclass(frozen=True, slots=True)
class Space:
    """A feature space that is installed; see the folder's docstring."""

    name: str
    sha256: str
    size_px: int
    num_features: int
    features: Callable[[np.ndarray], Tensor]


def space(name: str | None = None) -> Space:
    """A feature space by name; by default the one that every kernel distance means.

    Raises ``UsageError`` for an unknown name, ``ResourceError`` where it is not installed.
    """
    name = spaces.canonical(name or DEFAULT)
    entry = spaces.load(name)
    entry.require()
    return Space(name, entry.SHA256, entry.SIZE_PX, entry.NUM_FEATURES, entry.features)


def usual_name() -> str | None:
    """The name of the space in which trainings are judged: GANZFELD_FEATURES, or the default.

    None if that variable says ``none``: then trainings are not judged. Raises ``UsageError`` for a name that
    is none.
    """
    given = os.environ.get(VARIABLE) or DEFAULT
    return None if given.casefold() == NONE else spaces.canonical(given)
