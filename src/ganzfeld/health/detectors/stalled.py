"""The generator does not learn any more, or never has."""

from ganzfeld.health.case import Case
from ganzfeld.health.finding import Finding, Remedy
from ganzfeld.health.remedies import rate
from ganzfeld.health.symptoms import evidence, low, seen, since

READINGS = ("lesson_generator", "update_ratio_generator")


def find(case: Case) -> Finding | None:
    """Its lesson or its steps smaller than healthy runs show."""
    symptoms = seen(
        low(case, "lesson_generator", "what the loss tells the generator, as a share of the first time,"),
        low(case, "update_ratio_generator", "the size of the generator's steps beside its weights"),
    )
    if not symptoms:
        return None
    if [symptom.name for symptom in symptoms] == ["update_ratio_generator"]:
        cause = "The learning rate is so low, or has fallen so far, that the weights hardly move."
        text, settings = "Larger steps for the generator.", (rate(case, "generator", 4),)
    else:
        cause = (
            "The discriminator is sure of every generated picture, and where it is sure the slope of the "
            "loss that the generator goes by is next to 0."
        )
        text = "A loss whose slope is largest where the generator is worst, and a slower discriminator."
        settings = ("loss.name=non-saturating", rate(case, "discriminator", 0.5))
    return Finding(
        "stalled",
        "sick",
        since(symptoms),
        evidence(symptoms),
        cause,
        Remedy(text, settings),
        "saturating-loss",
    )
