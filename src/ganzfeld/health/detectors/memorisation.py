"""The generator reproduces images of the training set, exactly or nearly."""

from ganzfeld.health.evidence import RunEvidence
from ganzfeld.health.finding import Finding, Remedy
from ganzfeld.health.remedies import shifted
from ganzfeld.health.symptoms import high

READINGS = ("memorised",)


def find(run: RunEvidence) -> Finding | None:
    """Check the share of generated images that are nearly copies of a training image."""
    memorised = high(
        run,
        "memorised",
        "the share of generated images that are nearer to a training image than training images usually are "
        "to each other",
    )
    if not memorised:
        return None
    return Finding(
        "memorisation",
        "sick",
        memorised.since_images,
        (memorised.evidence,),
        "The discriminator has memorised the images of a small dataset, and only accepts exactly these from "
        "the generator.",
        Remedy(
            "Add images; nothing helps as much. Random crops show the discriminator a new version of each "
            "image every time, and so does mirroring (mirror=true) if mirrored images still look right.",
            shifted(run),
        ),
    )
