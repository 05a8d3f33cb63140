"""The generator makes images of the training set, or nearly."""

from ganzfeld.health.evidence import RunEvidence
from ganzfeld.health.finding import Finding, Remedy
from ganzfeld.health.remedies import shifted
from ganzfeld.health.symptoms import high

READINGS = ("memorised",)


def find(run: RunEvidence) -> Finding | None:
    """More generated images beside a training image than healthy runs show."""
    memorised = high(
        run,
        "memorised",
        "the share of generated images nearer to a training image than these are to each other",
    )
    if not memorised:
        return None
    return Finding(
        "memorisation",
        "sick",
        memorised.since_images,
        (memorised.evidence,),
        "The discriminator knows every image of a small set by heart, and teaches the generator to make "
        "exactly these.",
        Remedy(
            "More images are what helps. Shifting them shows the discriminator something new every time; "
            "so does mirror=true where left and right mean the same.",
            shifted(run),
        ),
    )
