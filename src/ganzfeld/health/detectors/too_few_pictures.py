"""Fewer images than a discriminator needs not to know them by heart."""

from ganzfeld.data.check.advice import ENOUGH
from ganzfeld.health.evidence import RunEvidence
from ganzfeld.health.finding import Evidence, Finding, Remedy
from ganzfeld.health.remedies import shifted

READINGS = ()


def find(run: RunEvidence) -> Finding | None:
    """A fact, known from the start: fewer than ``ganzfeld check`` calls enough."""
    number = run.num_pictures
    if not 0 < number < ENOUGH:
        return None
    times = run.images_seen / number
    text = f"the set has {number:,} images, each seen {times:,.0f} times until now; {ENOUGH:,} are few"
    return Finding(
        "too-few-pictures",
        "watch",
        0,
        (Evidence(text, {"num_pictures": number, "times_seen": times}),),
        "With few images the discriminator can learn them by heart, and the generator then gets better at "
        "copying rather than at inventing.",
        Remedy(
            "Add images. Failing that, show them shifted, and mirrored (mirror=true) where left and right "
            "mean the same; and end early.",
            shifted(run),
        ),
    )
