"""Density and coverage: precision and recall that a few odd images cannot sway."""

import torch
from torch import Tensor

from ganzfeld.metrics.comparison import Comparison
from ganzfeld.metrics.intervals import Figure, jackknife, plain, share

K = 5
NAMES = {
    "density": "real neighbourhoods around a generated image over those expected: 0 and up, 1 as dense",
    "coverage": "share of real images with a generated one among their nearest: 0 to 1, 1 is best",
}
FEATURES = True


def measure(comparison: Comparison) -> list[Figure]:
    """Both; their errors are found by leaving out a tenth at a time."""
    between, real = comparison.between, comparison.real.among
    values, errors = jackknife(
        lambda mine, theirs: density_coverage(between[mine][:, theirs], real[theirs][:, theirs]),
        between.shape,
        comparison.seed,
    )
    # No finer than one image, or a density of 0 would seem to be certain.
    finest = 1 / len(comparison.generated)
    return [
        plain("density", values[0], max(errors[0], finest), least=0.0),
        share("coverage", values[1], errors[1], len(comparison.real)),
    ]


def density_coverage(between: Tensor, among_real: Tensor) -> list[float]:
    """[density, coverage] from distances of generated (rows) to real images, and among the real ones.

    Source: Naeem et al. 2020, eq. 4 and 5.
    """
    radii = torch.kthvalue(among_real, K, dim=1).values
    inside = between < radii[None, :]
    density = inside.double().sum() / (K * len(between))
    return [float(density), float(inside.any(0).double().mean())]
