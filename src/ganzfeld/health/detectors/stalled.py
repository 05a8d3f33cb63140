"""The generator does not learn any more, or never has."""

import torch

from ganzfeld.health.evidence import RunEvidence
from ganzfeld.health.finding import Finding, Remedy
from ganzfeld.health.remedies import rate
from ganzfeld.health.symptoms import evidence, low, seen, since
from ganzfeld.losses import losses

READINGS = ("lesson_generator", "full_step_generator")

SURE = 20.0
"""A logit at which a sigmoid is 0 or 1 to nine digits."""


def find(run: RunEvidence) -> Finding | None:
    """Its lesson or its steps smaller than healthy runs show; a rate that falls as planned is no illness."""
    symptoms = seen(
        low(run, "lesson_generator", "what the loss tells the generator, as a share of the first time,"),
        low(
            run,
            "full_step_generator",
            "the size of the generator's steps beside its weights at first, at the recipe's rate,",
        ),
    )
    if not symptoms:
        return None
    experiment = ""
    if [symptom.name for symptom in symptoms] == ["full_step_generator"]:
        cause = "The learning rate is so low that the weights hardly move."
        text, settings = "Larger steps for the generator.", (rate(run, "generator", 4),)
    elif _fades_where_it_is_worst(run):
        cause = (
            "The discriminator is sure of every generated image, and where it is sure the slope of the "
            "loss that the generator goes by is next to 0."
        )
        text = "A loss whose slope is largest where the generator is worst, and a slower discriminator."
        settings = ("loss.name=non-saturating", rate(run, "discriminator", 0.5))
        experiment = "saturating-loss"
    else:
        cause = (
            "The discriminator takes generated images for real ones, however good they are, and where it "
            "does this loss has next to no slope: the generator is told that nothing is left to do."
        )
        text, settings = "A discriminator that learns faster.", (rate(run, "discriminator", 2),)
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
    """Whether the generator's loss has no slope at an image that the discriminator is sure is generated.

    Of the losses here this is so of minimax; the others lose their slope where it is deceived, or never.
    """
    loss = losses.load(run.recipe["loss"]["name"])
    with torch.enable_grad():
        fake = torch.full((1,), -SURE, requires_grad=True)
        (slope,) = torch.autograd.grad(loss.generator(torch.zeros(1), fake), fake)
    return abs(float(slope)) < 1e-3
