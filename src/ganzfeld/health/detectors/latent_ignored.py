"""The images do not depend on the latent vector, or hardly."""

from ganzfeld.health.evidence import RunEvidence
from ganzfeld.health.finding import Finding, Remedy
from ganzfeld.health.symptoms import evidence, low, seen, since

READINGS = ("latent_share", "sensitivity")

USUAL_SIZE = 100
"""Components of the latent vector of Radford et al. 2015."""


def find(run: RunEvidence) -> Finding | None:
    """Less of the latent in the first map, or in the image, than healthy runs show."""
    symptoms = seen(
        low(run, "latent_share", "the share of the first map's variance that comes from the latent"),
        low(run, "sensitivity", "the change of an image with its latent, as a share of a linear map's,"),
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
        "The noise is too weak beside the biases of the first layer, or is switched off, so that the "
        "generator has nothing to tell its images apart by.",
        Remedy(
            "Check that noise goes in at all; take a normal prior, enough components, and batch "
            "normalisation in the generator, which gives the latent its full size after the first layer.",
            tuple(settings),
        ),
        "latent-prior",
    )
