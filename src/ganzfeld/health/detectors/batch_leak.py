"""The discriminator's logit of an image depends on the rest of the batch, through batch statistics."""

from ganzfeld.health.evidence import RunEvidence
from ganzfeld.health.finding import Finding, Remedy
from ganzfeld.health.symptoms import high
from ganzfeld.networks.normalisations import normalisations

READINGS = ("batch_leak",)


def applies(run: RunEvidence) -> bool:
    """Return whether the discriminator has statistics across the batch."""
    return normalisations.load(run.recipe["discriminator"]["normalisation"]).ACROSS_IMAGES


def find(run: RunEvidence) -> Finding | None:
    """Check how far the logits of real images shift when generated images join the batch."""
    leak = high(
        run,
        "batch_leak",
        "the shift of the logits of real images when generated images share their batch, as a multiple of "
        "the standard deviation of these logits,",
    )
    if not leak:
        return None
    return Finding(
        "batch-leak",
        "watch",
        leak.since_images,
        (leak.evidence,),
        "Batch normalisation subtracts the mean of the whole batch, so the logit of an image depends on the "
        "other images. The discriminator can recognise the batch instead of the image.",
        Remedy(
            "Use a normalisation in the discriminator that treats each image by itself.",
            ("discriminator.normalisation=layer",),
        ),
        "batch-leak",
    )
