"""The same images again and again: they get more weight, and look like modes of their own."""

from ganzfeld.health.evidence import RunEvidence
from ganzfeld.health.finding import Evidence, Finding, Remedy

READINGS = ()

MOST = 0.1
"""Share of the set. A judgement, not a measurement: below it the weights of the images hardly change."""


def find(run: RunEvidence) -> Finding | None:
    """A fact, known from the start: more than a tenth of the set are repetitions."""
    if not run.num_pictures or run.num_duplicates <= MOST * run.num_pictures:
        return None
    share = run.num_duplicates / run.num_pictures
    text = f"{run.num_duplicates:,} of {run.num_pictures:,} images ({share:.0%}) repeat another one"
    return Finding(
        "duplicate-pictures",
        "watch",
        0,
        (Evidence(text, {"num_duplicates": run.num_duplicates, "share": share}),),
        "An image that is there twice counts twice, and a copy of it passes for variety.",
        Remedy("Remove the repetitions: ganzfeld check names them."),
    )
