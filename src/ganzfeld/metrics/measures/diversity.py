"""Diversity: how far generated images are from each other, relative to real images."""

from ganzfeld.metrics.comparison import Comparison
from ganzfeld.metrics.intervals import Figure, jackknife, plain

NAMES = {
    "diversity": "mean distance between generated images over that of real ones: 1 as varied, 0 all alike",
}
FEATURES = True


def measure(comparison: Comparison) -> list[Figure]:
    """Measure the ratio, with its error by the jackknife over tenths."""
    sets = [among.clone().fill_diagonal_(0) for among in (comparison.generated.among, comparison.real.among)]

    def compute(mine, theirs) -> list[float]:
        generated, real = (
            float(among[indices][:, indices].sum()) / (len(indices) * (len(indices) - 1))
            for among, indices in zip(sets, (mine, theirs), strict=True)
        )
        return [generated / real if real else 1.0 if not generated else float("inf")]

    (value,), (error,) = jackknife(compute, comparison.between.shape, comparison.seed)
    return [plain("diversity", value, error, least=0.0)]
