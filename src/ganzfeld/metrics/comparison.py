"""The input of the measures: generated and real images, their features, and the distances between them."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from ganzfeld.errors import UsageError
from ganzfeld.metrics.spaces import Space

LEAST = 50
"""Fewest images on each side; with fewer, intervals mean nothing."""


@dataclass(frozen=True)
class Side:
    """Images, uint8 (N, height, width, C), and their features (N, d); d is 0 where no measure needs any."""

    images: np.ndarray
    features: Tensor

    def __len__(self) -> int:
        return len(self.features)

    @cached_property
    def among(self) -> Tensor:
        """Distances (N, N) in feature space, float64; infinite on the diagonal."""
        return distances(self.features, self.features).fill_diagonal_(torch.inf)


@dataclass(frozen=True)
class Comparison:
    """Generated images against real ones, in one feature space.

    ``training`` holds images that the generator was trained on. It is ``real`` itself unless other images are
    given for comparison, and None if the training images are gone. ``trained_on`` (len(real),) marks the
    images of ``real`` that were in the training set, of which ``training`` may hold only a part; None if that
    is not known. ``space`` is None where no measure needs features. ``seed`` decides what a measure draws.
    Raises ``UsageError`` for fewer than 50 images on a side.
    """

    generated: Side
    real: Side
    training: Side | None
    space: Space | None
    seed: int = 0
    trained_on: np.ndarray | None = None

    def __post_init__(self) -> None:
        sides = (self.generated, self.real, self.training or self.real)
        if min(map(len, sides)) < LEAST:
            numbers = " and ".join(str(len(side)) for side in sides[:2])
            raise UsageError(f"a comparison needs {LEAST} images on each side, not {numbers}")

    @cached_property
    def between(self) -> Tensor:
        """Distances in feature space from generated (rows) to real images (columns), float64."""
        return distances(self.generated.features, self.real.features)

    @cached_property
    def generated_to_training(self) -> Tensor:
        """Distances from generated (rows) to training images, float64; needs training images."""
        assert self.training is not None
        if self.training is self.real:
            return self.between
        return distances(self.generated.features, self.training.features)

    @cached_property
    def real_to_training(self) -> Tensor:
        """Distances from other real images (rows) to training images, float64; needs training images."""
        assert self.training is not None
        return distances(self.real.features, self.training.features)

    @property
    def has_others(self) -> bool:
        """Whether there are training images, and the real images are other ones."""
        return self.training is not None and self.training is not self.real


def distances(x: Tensor, y: Tensor) -> Tensor:
    """Return Euclidean distances (N, M), float64, of features (N, d) and (M, d); exactly 0 for equal ones."""
    return torch.cdist(x.double(), y.double(), compute_mode="donot_use_mm_for_euclid_dist")
