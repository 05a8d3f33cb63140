"""What was learned has been lost: the quality has fallen far below its best and stays there."""

from ganzfeld.health.detectors.late_decay import settling
from ganzfeld.health.evidence import RunEvidence
from ganzfeld.health.finding import Finding
from ganzfeld.health.learned import learned
from ganzfeld.health.symptoms import low

READINGS = ("quality_kept",)


def find(run: RunEvidence) -> Finding | None:
    """Check how much of the best quality is left; nearly nothing is severe."""
    lost = low(
        run,
        "quality_kept",
        "the quality without its part features, as a share of the best of three looks in a row,",
    )
    if not lost:
        return None
    return Finding(
        "quality-lost",
        "sick" if learned(run).is_little else "watch",
        lost.since_images,
        (lost.evidence,),
        "The two networks no longer learn from each other: steps are too large, or one of them has won.",
        settling(run),
    )
