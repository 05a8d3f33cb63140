"""The discriminator separates all real and generated images, so its loss and its gradients vanish."""

from ganzfeld.health.evidence import RunEvidence
from ganzfeld.health.finding import Finding, Remedy
from ganzfeld.health.remedies import penalised, rate
from ganzfeld.health.symptoms import evidence, high, low, present, since

READINGS = ("lesson_discriminator", "separation", "overlap")


def find(run: RunEvidence) -> Finding | None:
    """Check the gradient of the discriminator's loss and the separation and overlap of its logits."""
    symptoms = present(
        low(
            run,
            "lesson_discriminator",
            "the gradient of the discriminator's loss, as a share of its value at logits of 0,",
        ),
        high(run, "separation", "the share of pairs in which the real image has the higher logit"),
        low(run, "overlap", "the overlap of the logits of real and generated images"),
    )
    if not symptoms:
        return None
    slower = min(
        0.5, run.recipe["generator"]["optimizer"]["lr"] / run.recipe["discriminator"]["optimizer"]["lr"]
    )
    return Finding(
        "discriminator-saturated",
        "sick",
        since(symptoms),
        evidence(symptoms),
        "The discriminator learns faster than the generator. Where its logits are far from 0, the loss is "
        "nearly flat, so the generator receives no useful gradient.",
        Remedy(
            "Lower the learning rate of the discriminator and add a gradient penalty, which keeps it smooth.",
            (rate(run, "discriminator", slower), penalised(run, "r1")),
        ),
        "saturating-loss",
    )
