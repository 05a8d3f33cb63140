"""The images are still alike, or as before training, when runs of the same kind have long had varied ones."""

from ganzfeld.health.detectors.mode_collapse import remedy_for_variety
from ganzfeld.health.evidence import RunEvidence
from ganzfeld.health.expectation import expected_of
from ganzfeld.health.finding import Evidence, Finding
from ganzfeld.health.learned import learned

READINGS = ()

LATE, HOPELESS = 3.0, 10.0
"""The multiples of the images that nine in ten runs needed from which a run is late, and without hope of its
own. Those runs learned small images of two kinds; other images may need longer."""


def find(run: RunEvidence) -> Finding | None:
    """Compare the images seen with those after which runs of this kind are varied."""
    so_far, usual, seen = learned(run), expected_of(run), run.images_seen
    high = usual.high_at(run.recipe["batch"]) if usual else None
    if usual is None or high is None or seen <= LATE * high:
        return None
    if so_far.quality is None or not so_far.is_little:
        return None
    evidence = Evidence(
        f"{so_far.sentence} after {seen:,} images; of {usual.num_runs} runs of {usual.name}, nine in ten had "
        f"varied images after {usual.high:,}, in batches of up to {usual.batch}",
        {"quality": so_far.quality, "limit": high},
        "quality",
    )
    return Finding(
        "nothing-learned",
        "sick" if seen > HOPELESS * high else "watch",
        int(LATE * high),
        (evidence,),
        "The two networks do not teach each other: one of them has won, or a setting keeps the images from "
        "becoming varied.",
        remedy_for_variety(run),
        "ring",
    )
