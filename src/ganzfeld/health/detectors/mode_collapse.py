"""The generator makes few kinds of images: the same for all latents, or without some of the data's kinds.

Full (``sick``): images of different latents are alike. Partial, or within a class (``watch``): each image
may be good, and much of the data is never made.
"""

from ganzfeld.health.evidence import RunEvidence
from ganzfeld.health.finding import Finding, Remedy
from ganzfeld.health.remedies import both_rates, penalised
from ganzfeld.health.symptoms import evidence, high, low, seen, since

READINGS = ("diversity", "twins", "recall", "coverage", "class_diversity_worst")


def find(run: RunEvidence) -> Finding | None:
    """Variety below what healthy runs show at this stage."""
    full = seen(
        low(
            run,
            "diversity",
            "the mean distance between generated images, as a share of that of real ones,",
        ),
        high(run, "twins", "the share of generated images with a near copy among 64"),
    )
    partial = seen(
        low(run, "recall", "recall, the share of real images that the generator could make,"),
        low(run, "coverage", "coverage, the share of real images with a generated one beside them,"),
        low(run, "class_diversity_worst", f"the variety within {_poorest(run)}, as a share of the data's,"),
    )
    symptoms = full + partial
    if not symptoms:
        return None
    return Finding(
        "mode-collapse",
        "sick" if full else "watch",
        since(symptoms),
        evidence(symptoms),
        "An image that deceives the discriminator today is the best answer to every latent; nothing in the "
        "game says that images must differ, unless the discriminator is smooth and compares them.",
        Remedy(*_remedy(run)),
        "ring",
    )


def _poorest(run: RunEvidence) -> str:
    """The class with the least variety, by its name where that is known."""
    numbers = run.series("class_poorest").values
    number = int(numbers[-1]) if len(numbers) else -1
    named = f" ({run.class_names[number]})" if 0 <= number < len(run.class_names) else ""
    return f"the poorest class{named}"


def _remedy(run: RunEvidence) -> tuple[str, tuple[str, ...]]:
    """The loss and the penalties that keep the modes, or, where they are there, slower steps."""
    names = {each["name"] for each in run.recipe["stabilisers"]}
    if run.recipe["loss"]["name"] == "relativistic-pairing" and names >= {"r1", "r2"}:
        return "Slower steps and stronger penalties.", (*both_rates(run, 0.5), penalised(run, "r1", "r2"))
    return "A loss that compares images in pairs, with a discriminator that is smooth on both sides.", (
        "loss.name=relativistic-pairing",
        "loss.smooth_sides=1",
        "loss.temperature=1.0",
        penalised(run, *sorted({"r1", "r2"} - names)),
    )
