"""The discriminator tells every image and has nothing left to learn, nor to teach."""

from ganzfeld.health.evidence import RunEvidence
from ganzfeld.health.finding import Finding, Remedy
from ganzfeld.health.remedies import penalised, rate
from ganzfeld.health.symptoms import evidence, high, low, seen, since

READINGS = ("lesson_discriminator", "separation", "overlap")


def find(run: RunEvidence) -> Finding | None:
    """Its own gradient, or the overlap of its answers, below what healthy runs show."""
    symptoms = seen(
        low(run, "lesson_discriminator", "the discriminator's loss gradient, as a share of the first one,"),
        high(run, "separation", "the share of pairs in which the real image gets the higher logit"),
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
        "The discriminator learns faster than the generator can follow; a logit that is far from 0 on every "
        "image has next to no slope, so the generator hears that it is wrong and not in which direction.",
        Remedy(
            "Slow the discriminator down and keep it smooth: a lower learning rate and a gradient penalty.",
            (rate(run, "discriminator", slower), penalised(run, "r1")),
        ),
        "saturating-loss",
    )
