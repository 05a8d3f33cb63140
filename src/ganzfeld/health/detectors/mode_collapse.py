"""Mode collapse: the generator makes only few kinds of images.

Full collapse (``sick``): images of different latents look alike. Partial collapse, or collapse within a class
(``watch``): single images may be good, but many kinds of real images are never generated.
"""

from ganzfeld.health.evidence import RunEvidence
from ganzfeld.health.finding import Finding, Remedy
from ganzfeld.health.remedies import both_rates, penalised
from ganzfeld.health.symptoms import evidence, high, low, present, since, steps_of

READINGS = ("diversity", "twins", "recall", "coverage", "class_diversity_worst")


def find(run: RunEvidence) -> Finding | None:
    """Check the variety of generated images: over all, within classes, and against the data."""
    full = present(
        low(
            run,
            "diversity",
            "the mean distance between generated images, as a share of that between real ones,",
        ),
        high(run, "twins", "the share of generated images with a near duplicate among 64"),
    )
    partial = present(
        low(run, "recall", "recall, the share of real images within the range of the generated ones,"),
        low(run, "coverage", "coverage, the share of real images with a generated image nearby,"),
        low(
            run,
            "class_diversity_worst",
            f"the variety within {_poorest_class(run)}, as a share of the variety of the data,",
        ),
    )
    symptoms = full + partial
    if not symptoms:
        return None
    return Finding(
        "mode-collapse",
        "sick" if full else "watch",
        since(symptoms),
        evidence(symptoms),
        "The generator can minimise its loss by mapping every latent to one image that currently fools the "
        "discriminator. Most losses do not reward variety, unless the discriminator compares images in pairs "
        "and is kept smooth.",
        remedy_for_variety(run),
        "ring",
    )


def cannot_tell(run: RunEvidence) -> str | None:
    """Return why missing kinds of images go unnoticed as long as the images of all latents differ."""
    for name in ("recall", "coverage"):
        series = run.series(name)
        limit = run.limit(name, int(steps_of(run, series)[-1])) if len(series) else None
        if limit is None or limit.low > 0:
            return None
    return "kinds of images may be missing: at this stage, recall and coverage are near 0 in healthy runs too"


def _poorest_class(run: RunEvidence) -> str:
    """Describe the class with the least variety, with its name where it is known."""
    numbers = run.series("class_poorest").values
    number = int(numbers[-1]) if len(numbers) else -1
    name = f" ({run.class_names[number]})" if 0 <= number < len(run.class_names) else ""
    return f"the least varied class{name}"


def remedy_for_variety(run: RunEvidence) -> Remedy:
    """Return the loss and penalties that keep the modes or, if the run has them, a gentler training."""
    names = {choice["name"] for choice in run.recipe["stabilisers"]}
    if run.recipe["loss"]["name"] == "relativistic-pairing" and names >= {"r1", "r2"}:
        return Remedy(
            "Lower both learning rates and strengthen the gradient penalties.",
            (*both_rates(run, 0.5), penalised(run, "r1", "r2")),
        )
    return Remedy(
        "Use a loss that compares real and generated images in pairs, with gradient penalties on both.",
        (
            "loss.name=relativistic-pairing",
            "loss.smooth_sides=1",
            "loss.temperature=1.0",
            penalised(run, *sorted({"r1", "r2"} - names)),
        ),
    )
