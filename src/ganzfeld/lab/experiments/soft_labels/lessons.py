"""The lesson on the bench: what a loss of the catalogue still teaches a discriminator, by logit."""

from typing import Any

import torch
from torch import Tensor

from ganzfeld.lab.experiments.soft_labels import KINDS, Settings, theory
from ganzfeld.lab.outcome import Measured, claim, limit
from ganzfeld.losses import Loss


def lessons_of(loss: Loss, logits: Tensor) -> tuple[Tensor, Tensor]:
    """Return the derivatives of the discriminator's loss by logits of real and of generated images, times
    their number.
    """
    real, fake = (logits.clone().requires_grad_() for _ in range(2))
    to_real, to_fake = torch.autograd.grad(loss.discriminator(real, fake), (real, fake))
    return to_real * len(logits), to_fake * len(logits)


def _cost(logits: Tensor, target: float) -> Tensor:
    """Return the cross-entropy from probabilities, as in the seed text."""
    probability = torch.sigmoid(logits)
    return -target * torch.log(probability) - (1 - target) * torch.log1p(-probability)


def measured_lessons(settings: Settings) -> tuple[list[Measured], dict[str, Any]]:
    """Compare the lesson with its formula, and measure how much is left of it where D saturates."""
    alpha = settings.alpha
    logits = torch.linspace(-40, 40, 4_001, dtype=torch.float64)
    lessons = {kind: lessons_of(settings.loss(kind), logits) for kind in KINDS}
    formula = max(
        float((lessons[kind][side] - theory.lesson(logits, target)).abs().max())
        for kind in KINDS
        for side, target in enumerate(settings.loss(kind).targets)
    )
    little = 1e-5
    rise = (_cost(logits + little, 1 - alpha) - _cost(logits - little, 1 - alpha)) / (2 * little)
    middle = logits.abs() < 8
    saturated = logits.abs() > 20
    two, one = lessons["two-sided"], lessons["one-sided"]
    return [
        claim(
            "lesson-autograd",
            "lesson D - y by autograd, largest error",
            formula,
            0.0,
            of="targets",
            part="closed form",
            tolerance=1e-7,
        ),
        claim(
            "lesson-differences",
            "lesson D - y by differences, largest error",
            float((rise - theory.lesson(logits, 1 - alpha))[middle].abs().max()),
            0.0,
            of="targets",
            part="closed form",
            tolerance=1e-7,
        ),
        claim(
            "saturated-two-sided",
            "smallest |D - y| where D saturates, two-sided",
            float(torch.stack(two).abs()[:, saturated].min()),
            alpha,
            of="targets",
            tolerance=1e-6,
        ),
        limit(
            "saturated-one-sided",
            "smallest |D - y| where D saturates, generated images, one-sided",
            float(one[1].abs()[saturated].min()),
            alpha,
            of="targets",
            tolerance=1e-6,
        ),
        limit(
            "smallest-two-sided",
            "smallest |D - y| at any logit, two-sided",
            float(torch.stack(two).abs().min()),
            alpha,
            of="targets",
            tolerance=1e-6,
        ),
    ], {
        "logits": logits.numpy(),
        **{kind: [side.numpy() for side in sides] for kind, sides in lessons.items()},
    }
