"""Logits, weights or updates grow without bound, until a loss is not finite."""

from ganzfeld.health.evidence import RunEvidence
from ganzfeld.health.finding import Evidence, Finding, Remedy
from ganzfeld.health.remedies import both_rates
from ganzfeld.health.symptoms import evidence, high, present
from ganzfeld.losses import losses

_WORDS = {
    "logit_size": "the largest logit",
    "growth_generator": "the norm of the generator's weights, as a multiple of that at half as many images,",
    "growth_discriminator": (
        "the norm of the discriminator's weights, as a multiple of that at half as many images,"
    ),
    "full_update_generator": (
        "the size of the generator's updates relative to its weights, at the full learning rate,"
    ),
    "full_update_discriminator": (
        "the size of the discriminator's updates relative to its weights, at the full learning rate,"
    ),
}

READINGS = tuple(_WORDS)


def find(run: RunEvidence) -> Finding | None:
    """Check for a loss that is not finite, and for logits, weights and updates that are too large."""
    words = {name: what for name, what in _WORDS.items() if name != "logit_size" or _has_sigmoid(run)}
    symptoms = present(*(high(run, name, what) for name, what in words.items()))
    not_finite = _loss_not_finite(run)
    if not symptoms and not not_finite:
        return None
    return Finding(
        "diverging",
        "sick",
        min([symptom.since_images for symptom in symptoms] + [at for at, _ in not_finite]),
        (*(item for _, item in not_finite), *evidence(symptoms)),
        "The learning rates are too high for stable training: each network overshoots, and the other "
        "responds with an even larger step.",
        Remedy("Lower the learning rates of both networks.", both_rates(run, 0.25)),
        "spiral",
    )


def _has_sigmoid(run: RunEvidence) -> bool:
    """Return whether logits have a healthy range: it was measured with losses that apply a sigmoid."""
    return not losses.load(run.recipe["loss"]["name"]).NO_TEMPERATURE


def _loss_not_finite(run: RunEvidence) -> list[tuple[int, Evidence]]:
    """Return images seen and evidence if a loss of the last entry is not finite (null in the journal)."""
    last = run.entries[-1] if run.entries else {}
    if all(last.get(name, 0.0) is not None for name in ("loss_generator", "loss_discriminator")):
        return []
    at = last["images_seen"]
    return [(at, Evidence(f"a loss was no longer finite after {at:,} images", {"images_seen": at}))]
