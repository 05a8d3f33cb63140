"""The dataset has so few images that the discriminator may memorise them."""

from ganzfeld.data.check.advice import ENOUGH
from ganzfeld.health.evidence import RunEvidence
from ganzfeld.health.finding import Evidence, Finding, Remedy
from ganzfeld.health.remedies import shifted
from ganzfeld.printable import counted

READINGS = ()


def find(run: RunEvidence) -> Finding | None:
    """Check whether the dataset has fewer images than ``ganzfeld check`` calls enough."""
    number = run.num_pictures
    if not 0 < number < ENOUGH:
        return None
    times = run.images_seen / number
    text = (
        f"the dataset has {number:,} images, fewer than the {ENOUGH:,} that are recommended; each has been "
        f"seen {counted(round(times), 'time')} so far"
    )
    return Finding(
        "too-few-pictures",
        "watch",
        0,
        (Evidence(text, {"num_pictures": number, "times_seen": times}),),
        "The discriminator can memorise a small dataset. The generator then learns to copy its images rather "
        "than to make new ones.",
        Remedy(
            "Add images. If there are no more, use random crops, mirror the images (mirror=true) if mirrored "
            "ones still look right, and stop training early.",
            shifted(run),
        ),
    )
