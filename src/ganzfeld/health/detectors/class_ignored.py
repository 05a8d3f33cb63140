"""The generator makes the same image of a latent whatever class it is asked for."""

from ganzfeld.health.evidence import RunEvidence
from ganzfeld.health.finding import Finding, Remedy
from ganzfeld.health.symptoms import low

READINGS = ("class_effect",)


def applies(run: RunEvidence) -> bool:
    """To a training by class."""
    return run.recipe["classes"] != "none"


def find(run: RunEvidence) -> Finding | None:
    """Less of a difference between classes than healthy runs show."""
    effect = low(
        run, "class_effect", "the change of an image with its class, as a share of that with its latent,"
    )
    if not effect:
        return None
    other = "concatenation" if run.recipe["classes"] == "projection" else "projection"
    return Finding(
        "class-ignored",
        "sick",
        effect.since_images,
        (effect.evidence,),
        "The discriminator does not hold the generator to its class: it sees no difference between the "
        "classes, or has not had the images to learn it.",
        Remedy(
            "Check that the labels are right and each class has images enough; let the class enter the "
            "discriminator the other way.",
            (f"classes={other}",),
        ),
    )
