"""Density and coverage: variants of precision and recall that are robust against outliers."""

import torch
from torch import Tensor

from ganzfeld.metrics.comparison import Comparison
from ganzfeld.metrics.intervals import Figure, jackknife, plain, share

K = 5
NAMES = {
    "density": "real neighbourhoods that contain a generated image, over those expected: from 0, 1 as dense",
    "coverage": "share of real images with a generated one among their nearest: 0 to 1, 1 is best",
}
FEATURES = True


def measure(comparison: Comparison) -> list[Figure]:
    """Measure both, with errors by the jackknife over tenths."""
    between, real = comparison.between, comparison.real.among
    values, errors = jackknife(
        lambda mine, theirs: density_coverage(between[mine][:, theirs], real[theirs][:, theirs]),
        between.shape,
        comparison.seed,
    )
    # At least one image, so that a density of 0 does not seem certain.
    least_error = 1 / len(comparison.generated)
    return [
        plain("density", values[0], max(errors[0], least_error), least=0.0),
        share("coverage", values[1], errors[1], len(comparison.real)),
    ]


def density_coverage(between: Tensor, among_real: Tensor) -> list[float]:
    """Return [density, coverage] from distances of generated (rows) to real images, and among the real.

    Source: Naeem et al. 2020, eq. 4 and 5.
    """
    radii = torch.kthvalue(among_real, K, dim=1).values
    inside = between < radii[None, :]
    density = inside.double().sum() / (K * len(between))
    return [float(density), float(inside.any(0).double().mean())]
