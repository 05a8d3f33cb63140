"""The generator's update uses gradients of the discriminator's loss, which work against it."""

from ganzfeld.health.evidence import RunEvidence
from ganzfeld.health.exact import is_watched, stated
from ganzfeld.health.finding import Finding, Remedy
from ganzfeld.health.symptoms import figure, high

READINGS = ("leaked_gradients",)

applies = is_watched


def find(run: RunEvidence) -> Finding | None:
    """Check how many of the generator's updates contain gradients of the discriminator's loss."""
    leak = high(run, "leaked_gradients", "the share of the generator's updates with others' gradients")
    if not leak:
        return None
    share = figure(100 * leak.value)
    text = f"{share} % of the generator's updates contain gradients of the discriminator's loss"
    return Finding(
        "detach-forgotten",
        "sick",
        leak.since_images,
        (stated(text, leak),),
        "In the discriminator's update, the generated images are not detached, so its loss also leaves "
        "gradients in the generator, and these are not cleared before the generator's own update.",
        Remedy(
            "Detach the generated images in the discriminator's update.",
            code=("logits_fake = discriminator(fake.detach())",),
        ),
    )
