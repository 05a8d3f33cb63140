"""The discriminator judges an image by its company: batch statistics tell it what the batch is made of."""

from ganzfeld.health.evidence import RunEvidence
from ganzfeld.health.finding import Finding, Remedy
from ganzfeld.health.symptoms import high
from ganzfeld.networks.normalisations import normalisations

READINGS = ("batch_leak",)


def applies(run: RunEvidence) -> bool:
    """To a discriminator with statistics across the batch."""
    return normalisations.load(run.recipe["discriminator"]["normalisation"]).ACROSS_IMAGES


def find(run: RunEvidence) -> Finding | None:
    """Real logits move more, when generated images join the batch, than in healthy runs."""
    leak = high(
        run, "batch_leak", "the shift of real logits beside generated images, in spreads of the logits,"
    )
    if not leak:
        return None
    return Finding(
        "batch-leak",
        "watch",
        leak.since_images,
        (leak.evidence,),
        "Batch normalisation subtracts the mean of the whole batch, so that what an image is worth depends "
        "on its neighbours; a discriminator can answer by the batch instead of by the image.",
        Remedy(
            "A normalisation of each image by itself in the discriminator.",
            ("discriminator.normalisation=layer",),
        ),
        "batch-leak",
    )
