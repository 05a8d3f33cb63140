"""Diversity: how far generated images are from each other, in the measure of the real ones."""

from ganzfeld.metrics.comparison import Comparison
from ganzfeld.metrics.intervals import Figure, jackknife, plain

NAMES = {
    "diversity": "mean distance among generated images over that among real ones: 1 as varied, 0 all alike",
}
FEATURES = True


def measure(comparison: Comparison) -> list[Figure]:
    """The ratio; its error is found by leaving out a tenth at a time."""
    sets = [each.clone().fill_diagonal_(0) for each in (comparison.generated.among, comparison.real.among)]

    def compute(mine, theirs) -> list[float]:
        generated, real = (
            float(each[kept][:, kept].sum()) / (len(kept) * (len(kept) - 1))
            for each, kept in zip(sets, (mine, theirs), strict=True)
        )
        return [generated / real if real else 1.0 if not generated else float("inf")]

    (value,), (error,) = jackknife(compute, comparison.between.shape, comparison.seed)
    return [plain("diversity", value, error, least=0.0)]
