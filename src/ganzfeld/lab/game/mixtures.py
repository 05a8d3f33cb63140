"""Mixtures of Gaussians in the plane with an exact density, and how much of a mixture points cover."""

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

QUALITY_RADIUS = 3.0
"""A point within this many standard deviations of a centre is of high quality (Srivastava et al. 2017)."""

FOUND_SHARE = 0.1
"""A mode is found if it gets at least this part of its fair share of points, counting those of high
quality.
"""


@dataclass(frozen=True)
class Mixture:
    """Gaussians of equal weight with standard deviation ``sigma`` at ``centres`` (k, 2)."""

    centres: Tensor
    sigma: float

    def sample(self, num: int, noise: torch.Generator) -> Tensor:
        """Draw points, (num, 2)."""
        chosen = torch.randint(len(self.centres), (num,), generator=noise)
        return self.centres[chosen] + self.sigma * torch.randn(num, 2, generator=noise)

    def log_density(self, points: Tensor) -> Tensor:
        """Return log p of points (..., 2), in nats, in float64."""
        squares = (points.double().unsqueeze(-2) - self.centres.double()).square().sum(-1)
        inside = torch.logsumexp(-squares / (2 * self.sigma**2), -1)
        return inside - math.log(len(self.centres) * 2 * math.pi * self.sigma**2)

    @property
    def entropy(self) -> float:
        """Mean -log p of its own points if no modes touch: log k + log(2 pi e sigma^2)."""
        return math.log(len(self.centres)) + math.log(2 * math.pi * math.e * self.sigma**2)

    @property
    def quality(self) -> float:
        """The share of its own points of high quality if no modes touch: 1 - exp(-3^2 / 2)."""
        return 1 - math.exp(-(QUALITY_RADIUS**2) / 2)


def ring(modes: int = 8, radius: float = 2.0, sigma: float = 0.1) -> Mixture:
    """Place ``modes`` Gaussians on a circle."""
    angles = torch.arange(modes) * (2 * math.pi / modes)
    return Mixture(radius * torch.stack([angles.cos(), angles.sin()], 1), sigma)


def grid(side: int = 5, spacing: float = 1.0, sigma: float = 0.1) -> Mixture:
    """Place side x side Gaussians around the origin."""
    places = (torch.arange(side) - (side - 1) / 2) * spacing
    return Mixture(torch.cartesian_prod(places, places), sigma)


class Coverage(NamedTuple):
    """How much of a mixture points cover.

    ``modes``: number of modes found. ``quality``: share of points of high quality. ``divergence``: KL of the
    histogram of nearest modes from the uniform one, in nats. ``surprise``: mean -log p, in nats.
    """

    modes: float
    quality: float
    divergence: float
    surprise: float


@torch.no_grad()
def coverage(mixture: Mixture, points: Tensor) -> Coverage:
    """Measure how much of a mixture points (n, 2) cover; see ``Coverage``."""
    num_modes = len(mixture.centres)
    distance, nearest = torch.cdist(points, mixture.centres).min(1)
    good = distance < QUALITY_RADIUS * mixture.sigma
    covered = torch.bincount(nearest[good], minlength=num_modes) >= FOUND_SHARE * len(points) / num_modes
    shares = torch.bincount(nearest, minlength=num_modes).double() / len(points)
    return Coverage(
        float(covered.sum()),
        float(good.double().mean()),
        float(torch.special.xlogy(shares, shares * num_modes).sum()),
        float(-mixture.log_density(points).mean()),
    )
