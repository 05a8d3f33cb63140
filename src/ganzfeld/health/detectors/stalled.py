"""The generator has stopped learning, or never started."""

import torch

from ganzfeld.health.evidence import RunEvidence
from ganzfeld.health.finding import Finding, Remedy
from ganzfeld.health.remedies import rate
from ganzfeld.health.symptoms import evidence, low, present, since
from ganzfeld.losses import losses

READINGS = ("lesson_generator", "full_step_generator")

SURE = 20.0
"""A logit at which a sigmoid is 0 or 1 to nine digits."""


def find(run: RunEvidence) -> Finding | None:
    """Check the generator's loss gradient and the size of its steps, with the schedule's decay taken out."""
    symptoms = present(
        low(
            run,
            "lesson_generator",
            "the gradient of the generator's loss, as a share of its value at logits of 0,",
        ),
        low(
            run,
            "full_step_generator",
            "the size of the generator's updates relative to its first weights, at the full learning rate,",
        ),
    )
    if not symptoms:
        return None
    experiment = ""
    if [symptom.name for symptom in symptoms] == ["full_step_generator"]:
        cause = "The learning rate of the generator is so low that its weights hardly change."
        text, settings = "Raise the learning rate of the generator.", (rate(run, "generator", 4),)
    elif _fades_where_it_is_worst(run):
        cause = (
            "The discriminator assigns very low logits to all generated images, and there the gradient of "
            "this generator loss is nearly 0."
        )
        text = (
            "Use a loss whose gradient is largest where the generator is worst, and lower the learning rate "
            "of the discriminator."
        )
        settings = ("loss.name=non-saturating", rate(run, "discriminator", 0.5))
        experiment = "saturating-loss"
    else:
        cause = (
            "The discriminator assigns high logits to generated images, whatever their quality, and there "
            "the gradient of this generator loss is nearly 0: the generator has nothing left to learn from "
            "it."
        )
        text = "Raise the learning rate of the discriminator."
        settings = (rate(run, "discriminator", 2),)
    return Finding(
        "stalled",
        "sick",
        since(symptoms),
        evidence(symptoms),
        cause,
        Remedy(text, settings),
        experiment,
    )


def _fades_where_it_is_worst(run: RunEvidence) -> bool:
    """Return whether the generator's loss is flat where the discriminator is sure that an image is generated.

    Of the losses here, only minimax is. The others are flat where the discriminator is fooled, or nowhere.
    """
    loss = losses.load(run.recipe["loss"]["name"])
    with torch.enable_grad():
        fake = torch.full((1,), -SURE, requires_grad=True)
        (slope,) = torch.autograd.grad(loss.generator(torch.zeros(1), fake), fake)
    return abs(float(slope)) < 1e-3
