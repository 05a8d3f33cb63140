"""The generator goes from one kind of image to another and forgets the last one."""

from ganzfeld.health.evidence import RunEvidence
from ganzfeld.health.finding import Finding, Remedy
from ganzfeld.health.remedies import both_rates, longer_average
from ganzfeld.health.symptoms import evidence, high, low, seen

READINGS = ("pace",)


def find(run: RunEvidence) -> Finding | None:
    """Images of the same latents change more from look to look than in healthy runs."""
    pace = high(run, "pace", "the change of a latent's image in a step, as a share of the spread of all,")
    if not pace:
        return None
    poor = low(run, "diversity", "the variety of the images, as a share of the data's,")
    return Finding(
        "mode-hopping",
        "sick" if poor else "watch",
        pace.since_images,
        evidence(seen(pace, poor)),
        "The discriminator learns to refuse what the generator makes now and forgets what it made before, so "
        "the two chase each other around the data.",
        Remedy(
            "Smaller steps for both networks, and a longer average as the model.",
            (*both_rates(run, 0.5), longer_average(run)),
        ),
        "ring",
    )
