"""Generated images depend little or not at all on the latent vector."""

from ganzfeld.health.evidence import RunEvidence
from ganzfeld.health.finding import Finding, Remedy
from ganzfeld.health.symptoms import evidence, low, present, since

READINGS = ("latent_share", "sensitivity")

USUAL_SIZE = 100
"""Components of the latent vector of Radford et al. 2015."""


def find(run: RunEvidence) -> Finding | None:
    """Check how strongly the base map and the image depend on the latent."""
    symptoms = present(
        low(run, "latent_share", "the share of the base map's variance that comes from the latent"),
        low(
            run,
            "sensitivity",
            "the change of an image for a small change of its latent, relative to a linear map,",
        ),
    )
    if not symptoms:
        return None
    recipe = run.recipe
    settings = [] if recipe["latent"]["prior"] == "normal" else ["latent.prior=normal"]
    if recipe["latent"]["size"] < USUAL_SIZE:
        settings.append(f"latent.size={USUAL_SIZE}")
    if recipe["generator"]["normalisation"] != "batch":
        settings.append("generator.normalisation=batch")
    return Finding(
        "latent-ignored",
        "sick",
        since(symptoms),
        evidence(symptoms),
        "The latent is too weak compared with the biases of the first layer, or does not reach the generator "
        "at all, so its images cannot differ.",
        Remedy(
            f"Check that the generator receives a latent. Use a normal prior, at least {USUAL_SIZE} latent "
            "components, and batch normalisation in the generator, which restores the scale of the latent "
            "after the first layer.",
            tuple(settings),
        ),
        "latent-prior",
    )
