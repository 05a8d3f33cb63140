"""Precision and recall: are generated images among the real ones, and are real ones among the generated?

Each set is modelled as the union of balls around its images that reach to their third nearest neighbours.
"""

import torch
from torch import Tensor

from ganzfeld.metrics.comparison import Comparison
from ganzfeld.metrics.intervals import Figure, jackknife, share

K = 3
NAMES = {
    "precision": "share of generated images that lie where real ones are: 0 to 1, 1 is best",
    "recall": "share of real images that lie where generated ones are: 0 to 1, 1 is best",
}
FEATURES = True


def measure(comparison: Comparison) -> list[Figure]:
    """Measure both, with errors by the jackknife over tenths."""
    between, generated, real = comparison.between, comparison.generated.among, comparison.real.among
    values, errors = jackknife(
        lambda mine, theirs: precision_recall(
            between[mine][:, theirs], generated[mine][:, mine], real[theirs][:, theirs]
        ),
        between.shape,
        comparison.seed,
    )
    return [
        share(name, value, error, number)
        for name, value, error, number in zip(NAMES, values, errors, between.shape, strict=True)
    ]


def precision_recall(between: Tensor, among_generated: Tensor, among_real: Tensor) -> list[float]:
    """Return [precision, recall] from distances of generated (rows) to real images, and within each set.

    Source: Kynkäänniemi et al. 2019, eq. 1 and 2.
    """
    generated_among_real = (between <= radii(among_real, K)[None, :]).any(1)
    real_among_generated = (between <= radii(among_generated, K)[:, None]).any(0)
    return [float(inside.double().mean()) for inside in (generated_among_real, real_among_generated)]


def radii(among: Tensor, k: int) -> Tensor:
    """Return the distance of each image to its k-th nearest neighbour in its own set."""
    return torch.kthvalue(among, k, dim=1).values
