"""Many images of the dataset are duplicates: they get more weight, and look like modes of their own."""

from ganzfeld.health.evidence import RunEvidence
from ganzfeld.health.finding import Evidence, Finding, Remedy

READINGS = ()

MOST = 0.1
"""Share of the dataset. It was chosen, not measured: below it, duplicates hardly change the distribution."""


def find(run: RunEvidence) -> Finding | None:
    """Check whether more than a tenth of the dataset are duplicates, which is known before training."""
    if not run.num_pictures or run.num_duplicates <= MOST * run.num_pictures:
        return None
    share = run.num_duplicates / run.num_pictures
    text = (
        f"{run.num_duplicates:,} of {run.num_pictures:,} images ({share:.0%}) are duplicates of another one"
    )
    return Finding(
        "duplicate-pictures",
        "watch",
        0,
        (Evidence(text, {"num_duplicates": run.num_duplicates, "share": share}),),
        "An image that occurs twice counts twice in training, and generated copies of it look like variety.",
        Remedy("Remove the duplicates; ganzfeld check lists them."),
    )
