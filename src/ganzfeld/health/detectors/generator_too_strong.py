"""The discriminator cannot tell real and generated images apart, although they still differ."""

from ganzfeld.health.evidence import RunEvidence
from ganzfeld.health.finding import Finding, Remedy
from ganzfeld.health.remedies import rate
from ganzfeld.health.symptoms import evidence, high, low, present, since

READINGS = ("separation", "overlap")


def find(run: RunEvidence) -> Finding | None:
    """Check whether the logits of real and generated images are nearly the same."""
    symptoms = present(
        low(run, "separation", "the share of pairs in which the real image has the higher logit"),
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
        "The discriminator is too small, learns too slowly or is penalised too strongly to detect the "
        "remaining differences. Without its feedback the generator stops improving.",
        Remedy(
            "Give the discriminator more channels and a higher learning rate.",
            (f"discriminator.width={min(4096, width)}", rate(run, "discriminator", 2)),
        ),
        "spiral",
    )
