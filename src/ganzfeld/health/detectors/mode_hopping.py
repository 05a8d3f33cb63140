"""Mode hopping: the generator moves from one kind of image to the next and forgets the last one."""

from ganzfeld.health.evidence import RunEvidence
from ganzfeld.health.finding import Finding, Remedy
from ganzfeld.health.remedies import both_rates, longer_average
from ganzfeld.health.symptoms import evidence, high, low, present

READINGS = ("pace",)


def find(run: RunEvidence) -> Finding | None:
    """Check how fast the images of the same latents change during training."""
    pace = high(
        run,
        "pace",
        "the change per step of the image of a fixed latent, as a share of the mean distance between images,",
    )
    if not pace:
        return None
    poor = low(run, "diversity", "the variety of generated images, as a share of the variety of the data,")
    return Finding(
        "mode-hopping",
        "sick" if poor else "watch",
        pace.since_images,
        evidence(present(pace, poor)),
        "The discriminator learns to reject the current kind of image and forgets the earlier ones, so the "
        "two networks chase each other through the modes of the data.",
        Remedy(
            "Lower both learning rates, and average the generator's weights over more steps.",
            (*both_rates(run, 0.5), longer_average(run)),
        ),
        "ring",
    )
