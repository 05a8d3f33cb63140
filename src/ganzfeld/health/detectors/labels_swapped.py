"""One of the two updates gives images the wrong label: the networks help each other, or learn nothing."""

from ganzfeld.health.evidence import RunEvidence
from ganzfeld.health.exact import is_watched, last, stated
from ganzfeld.health.finding import Finding, Remedy
from ganzfeld.health.symptoms import high, present, since

READINGS = ("same_push_on_fakes", "same_push_on_both")

applies = is_watched


def find(run: RunEvidence) -> Finding | None:
    """Check in which directions the two losses move the logits of real and generated images."""
    fakes = high(run, "same_push_on_fakes", "the common direction of both losses")
    both = high(run, "same_push_on_both", "the common direction of both kinds of images")
    symptoms = present(fakes, both)
    if not symptoms:
        return None
    pushes = {name: last(run, name) for name in ("push_real", "push_fake", "push_generator")}
    evidence = []
    if fakes:
        text = (
            f"the discriminator's loss moves the logits of generated images {_way(pushes['push_fake'])}, "
            "and so "
            "does the generator's loss, although the two networks should oppose each other"
        )
        evidence.append(stated(text, fakes, **pushes))
    if both:
        text = (
            "the discriminator's loss moves the logits of real images and those of generated images "
            f"{_way(pushes['push_real'])}, although it should tell them apart"
        )
        evidence.append(stated(text, both, **pushes))
    if both:
        cause = "In the discriminator's update, real and generated images have the same label."
    elif pushes["push_real"] < 0:
        cause = (
            "In the discriminator's update, real images have the label of generated ones, and the reverse."
        )
    else:
        cause = (
            "In the generator's update, generated images have the label of generated ones: it learns to make "
            "images that the discriminator recognises."
        )
    return Finding(
        "labels-swapped",
        "sick",
        since(symptoms),
        tuple(evidence),
        cause,
        Remedy(
            "In the discriminator's update, give real images the label 1 and generated ones 0; in the "
            "generator's update, give generated images the label 1.",
            code=(
                "loss_discriminator = bce(discriminator(real), ones) + bce(discriminator(fake.detach()), "
                "zeros)",
                "loss_generator = bce(discriminator(fake), ones)",
            ),
        ),
    )


def _way(push: float) -> str:
    return "up" if push > 0 else "down"
