"""The discriminator tells every image and has nothing left to learn, nor to teach."""

from ganzfeld.health.case import RunEvidence
from ganzfeld.health.finding import Finding, Remedy
from ganzfeld.health.remedies import penalised, rate
from ganzfeld.health.symptoms import evidence, high, low, seen, since

READINGS = ("lesson_discriminator", "separation", "overlap")


def find(case: RunEvidence) -> Finding | None:
    """Its own gradient, or the overlap of its answers, below what healthy runs show."""
    symptoms = seen(
        low(case, "lesson_discriminator", "the discriminator's loss gradient, as a share of the first one,"),
        high(case, "separation", "the share of pairs in which the real image gets the higher logit"),
        low(case, "overlap", "the overlap of the logits of real and generated images"),
    )
    if not symptoms:
        return None
    slower = min(
        0.5, case.recipe["generator"]["optimizer"]["lr"] / case.recipe["discriminator"]["optimizer"]["lr"]
    )
    return Finding(
        "discriminator-saturated",
        "sick",
        since(symptoms),
        evidence(symptoms),
        "The discriminator learns faster than the generator can follow; a logit that is far from 0 on every "
        "image has next to no slope, so the generator hears that it is wrong and not in which direction.",
        Remedy(
            "Slow the discriminator down and keep it smooth: a lower learning rate and a gradient penalty.",
            (rate(case, "discriminator", slower), penalised(case, "r1")),
        ),
        "saturating-loss",
    )
