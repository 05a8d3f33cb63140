"""Numbers that grow without end: logits, weights or steps; at last something is not finite."""

from ganzfeld.health.evidence import RunEvidence
from ganzfeld.health.finding import Evidence, Finding, Remedy
from ganzfeld.health.remedies import both_rates
from ganzfeld.health.symptoms import evidence, high, seen
from ganzfeld.losses import losses

_WORDS = {
    "logit_size": "the largest logit",
    "growth_generator": "the size of the generator's weights, over that at half the images,",
    "growth_discriminator": "the size of the discriminator's weights, over that at half the images,",
    "full_update_generator": "the size of the generator's steps beside its weights, at the recipe's rate,",
    "full_update_discriminator": (
        "the size of the discriminator's steps beside its weights, at the recipe's rate,"
    ),
}

READINGS = tuple(_WORDS)


def find(run: RunEvidence) -> Finding | None:
    """A loss that is not finite, or sizes above all that healthy runs show."""
    words = {name: what for name, what in _WORDS.items() if name != "logit_size" or _has_sigmoid(run)}
    symptoms, lost = seen(*(high(run, name, what) for name, what in words.items())), _lost_at(run)
    if not symptoms and not lost:
        return None
    return Finding(
        "diverging",
        "sick",
        min([each.since_images for each in symptoms] + [at for at, _ in lost]),
        (*(each for _, each in lost), *evidence(symptoms)),
        "The steps are larger than the game can bear: each network overshoots, and the other answers with a "
        "larger step still.",
        Remedy("Smaller steps for both networks.", both_rates(run, 0.25)),
        "spiral",
    )


def _has_sigmoid(run: RunEvidence) -> bool:
    """Whether the size of a logit means something: the limits are those of losses with a sigmoid."""
    return not losses.load(run.recipe["loss"]["name"]).NO_TEMPERATURE


def _lost_at(run: RunEvidence) -> list[tuple[int, Evidence]]:
    """The images seen at the last entry, if one of its losses is not finite (null in the journal)."""
    last = run.entries[-1] if run.entries else {}
    if all(last.get(name, 0.0) is not None for name in ("loss_generator", "loss_discriminator")):
        return []
    at = last["images_seen"]
    return [(at, Evidence(f"a loss is not finite after {at:,} images", {"images_seen": at}))]
