"""The generator makes nearly the same image from a latent, whatever the class."""

from ganzfeld.health.evidence import RunEvidence
from ganzfeld.health.finding import Finding, Remedy
from ganzfeld.health.symptoms import low

READINGS = ("class_effect",)


def applies(run: RunEvidence) -> bool:
    """Return whether the run trains by class."""
    return run.recipe["classes"] != "none"


def find(run: RunEvidence) -> Finding | None:
    """Check how much the image of a latent changes with the class."""
    effect = low(
        run,
        "class_effect",
        "the change of an image when its class changes, as a share of the change when its latent changes,",
    )
    if not effect:
        return None
    other = "concatenation" if run.recipe["classes"] == "projection" else "projection"
    return Finding(
        "class-ignored",
        "sick",
        effect.since_images,
        (effect.evidence,),
        "The discriminator does not penalise images of the wrong class: the classes may look alike to it, or "
        "have too few images for it to learn the difference.",
        Remedy(
            "Check that the labels are right and that every class has enough images; then condition the "
            f"discriminator by {other}.",
            (f"classes={other}",),
        ),
    )
