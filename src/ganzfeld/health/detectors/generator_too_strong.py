"""The discriminator cannot tell generated images from real ones, however bad they are."""

from ganzfeld.health.evidence import RunEvidence
from ganzfeld.health.finding import Finding, Remedy
from ganzfeld.health.remedies import rate
from ganzfeld.health.symptoms import evidence, high, low, seen, since

READINGS = ("separation", "overlap")


def find(run: RunEvidence) -> Finding | None:
    """Separation nearer to chance, or logits that overlap more, than healthy runs show."""
    symptoms = seen(
        low(run, "separation", "the share of pairs in which the real image gets the higher logit"),
        high(run, "overlap", "the overlap of the logits of real and generated images"),
    )
    if not symptoms:
        return None
    recipe = run.recipe
    width = max(2 * recipe["discriminator"]["width"], recipe["generator"]["width"])
    return Finding(
        "generator-too-strong",
        "sick",
        since(symptoms),
        evidence(symptoms),
        "The discriminator is too small, too slow or too strongly penalised to find the difference that is "
        "still there; a generator that is not contradicted stops getting better.",
        Remedy(
            "Give the discriminator more channels and a higher learning rate.",
            (f"discriminator.width={min(4096, width)}", rate(run, "discriminator", 2)),
        ),
        "spiral",
    )
