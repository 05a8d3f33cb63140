"""The images are still alike, or as before training, when other runs have long had varied ones.

The other runs are those of the same kind or, where too little is known of these, of the slowest known one.
"""

from ganzfeld.health.detectors import quality_lost
from ganzfeld.health.detectors.mode_collapse import remedy_for_variety
from ganzfeld.health.evidence import RunEvidence
from ganzfeld.health.expectation import Expectation, expected_of, slowest_for
from ganzfeld.health.finding import Evidence, Finding
from ganzfeld.health.learned import learned

READINGS = ()

LATE, HOPELESS = 3.0, 10.0
"""The multiples of the images that nine in ten runs needed from which a run is late, and without hope of its
own. Those runs learned small images of two kinds; other images may need longer."""


def find(run: RunEvidence) -> Finding | None:
    """Compare the images seen with those after which runs of this kind, or else of others, are varied."""
    so_far, own, seen = learned(run), expected_of(run), run.images_seen
    usual = own if own and own.high is not None else slowest_for(run)
    high = usual.high_at(run.recipe["batch"]) if usual else None
    if usual is None or high is None or seen <= LATE * high:
        return None
    if so_far.quality is None or not so_far.is_little or quality_lost.find(run):
        return None
    evidence = Evidence(
        f"{so_far.sentence} after {seen:,} images; {_compared_with(usual, own)}",
        {"quality": so_far.quality, "limit": high},
        "quality",
    )
    return Finding(
        "nothing-learned",
        "sick" if seen > HOPELESS * high else "watch",
        int(LATE * high),
        (evidence,),
        "The two networks do not learn from each other: one of them has won, or a setting keeps the images "
        "from becoming varied.",
        remedy_for_variety(run),
        "ring",
    )


def _compared_with(usual: Expectation, own: Expectation | None) -> str:
    """Say when which runs had varied images. ``own`` are those of the same kind, if any are known."""
    varied = f"nine in ten had varied images after {usual.high:,}, in batches of up to {usual.batch}"
    if usual == own:
        return f"of {usual.num_runs} runs of {usual.name}, {varied}"
    slowest = f"of {usual.num_runs} runs of {usual.name}, which need the most, {varied}"
    if own is None:
        return f"no runs of this kind were measured, so it is compared with runs of other recipes: {slowest}"
    return (
        f"only {len(own.until_varied)} of {own.num_runs} runs of {own.name} of this width had varied images"
        f" in up to {own.longest:,}, so it is compared with other runs: {slowest}"
    )
