"""An absolute scale of quality, cheap enough for every look at a run: 0 nothing learned, 1 like real images.

Each part compares generated with real images by a measure that needs no feature network. A part is 0 where
its measure is no better than for an untrained generator, or than for one image for all latents, the mean of
the data: the better of the two is the beginning of the scale. It is 1 where the measure is no worse than for
other real images. ``ganzfeld.health.derived.combined_quality`` makes one number of the parts.
"""

from collections.abc import Callable
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from ganzfeld.metrics.comparison import Side, distances
from ganzfeld.metrics.measures.density_coverage import density_coverage
from ganzfeld.metrics.measures.sliced_wasserstein import DIRECTIONS, distances_of_lines
from ganzfeld.metrics.measures.spectrum_distance import profiles, spectrum_distance
from ganzfeld.metrics.spaces import random_convolutions

NUM_REALS = 256
"""Real images that others are compared with; with fewer, all parts are noisier."""
LEAST = 16
"""Fewest images on a side, below which there is no scale."""
SIDE_PX = 16

NAMES = {
    "quality_pixels": "Sliced Wasserstein distance of images of 64 fixed latents, on a scale from that"
    " of an untrained generator or of one image for all (0) to that of other real images (1).",
    "quality_spectrum": "Difference of the logarithmic power spectra, on the same scale.",
    "quality_variety": "Mean distance between generated images at 16 px, on the same scale.",
    "quality_coverage": "Share of real images with a generated one among their nearest, by random"
    " convolutions, on the same scale.",
}


class QualityScale:
    """A scale between the images of an untrained generator and real ones.

    ``real``, ``other_real`` and ``untrained`` are images, uint8 (N, height, width, C), at least ``LEAST``
    each. Those of both real sets are different ones; the numbers of others and of untrained ones should be
    that of the images to be compared, since coverage depends on it. A part is left out if its measure cannot
    tell real images from untrained ones.
    """

    def __init__(self, real: np.ndarray, other_real: np.ndarray, untrained: np.ndarray) -> None:
        self._real = _Images.of(real)
        same = np.rint(real.mean(0, keepdims=True)).astype(np.uint8)
        ends = [
            self._distances(_Images.of(images))
            for images in (untrained, np.repeat(same, len(untrained), 0), other_real)
        ]
        self._ends = {
            name: (zero, one)
            for name in _PARTS
            if (zero := min(ends[0][name], ends[1][name])) > (one := ends[2][name])
        }

    def scores(self, images: np.ndarray) -> dict[str, float]:
        """Return the parts of the quality of generated images (N, height, width, C), uint8, each 0 to 1."""
        found = self._distances(_Images.of(images))
        return {
            name: min(1.0, max(0.0, (zero - found[name]) / (zero - one)))
            for name, (zero, one) in self._ends.items()
        }

    def _distances(self, side: "_Images") -> dict[str, float]:
        return {name: part(side, self._real) for name, part in _PARTS.items()}


class _Images(Side):
    """Images and their random convolutions, with what else the measures need of them, computed once."""

    @classmethod
    def of(cls, images: np.ndarray) -> "_Images":
        return cls(images, random_convolutions.features(images))

    @cached_property
    def small(self) -> Tensor:
        """The images (N, values), averaged down to at most 16 px, from 0 to 1."""
        values = torch.from_numpy(self.images).movedim(-1, 1).float() / 255
        height, width = (min(SIDE_PX, side) for side in values.shape[2:])
        return torch.nn.functional.adaptive_avg_pool2d(values, (height, width)).flatten(1)

    @cached_property
    def projected(self) -> Tensor:
        """``small`` along random directions (N, 256), the same for all images of a size."""
        noise = torch.Generator().manual_seed(0)
        directions = torch.randn(self.small.shape[1], DIRECTIONS, generator=noise)
        return (self.small @ (directions / directions.norm(dim=0))).double()

    @cached_property
    def spectra(self) -> np.ndarray:
        """The power spectrum of each image."""
        return profiles(self.images)

    @cached_property
    def variety(self) -> float:
        """The mean distance between two images."""
        return float(torch.pdist(self.small).mean())


def _sameness(generated: _Images, real: _Images) -> float:
    return 1 - min(1.0, generated.variety / max(real.variety, 1e-12))


_PARTS: dict[str, Callable[[_Images, _Images], float]] = {
    "quality_pixels": lambda generated, real: float(
        distances_of_lines(generated.projected, real.projected).mean()
    ),
    "quality_spectrum": lambda generated, real: spectrum_distance(generated.spectra, real.spectra),
    "quality_variety": _sameness,
    "quality_coverage": lambda generated, real: (
        1 - density_coverage(distances(generated.features, real.features), real.among)[1]
    ),
}
"""The distance of generated from real images by each part; lower is better."""
