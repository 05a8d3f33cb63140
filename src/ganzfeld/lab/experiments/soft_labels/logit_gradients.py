"""Gradients on the bench of ``soft-labels``: of the discriminator's loss, by the logit."""

from typing import Any

import torch
from torch import Tensor

from ganzfeld.lab.experiments.soft_labels import KINDS, Settings, theory
from ganzfeld.lab.language import say
from ganzfeld.lab.layers import central_difference
from ganzfeld.lab.outcome import Measured, claim, formula_errors, limit
from ganzfeld.losses import Loss


def logit_gradients(loss: Loss, logits: Tensor) -> tuple[Tensor, Tensor]:
    """Return the derivatives of the discriminator's loss by the logits of real and of generated images, times
    the number of images.
    """
    real, fake = (logits.clone().requires_grad_() for _ in range(2))
    to_real, to_fake = torch.autograd.grad(loss.discriminator(real, fake), (real, fake))
    return to_real * len(logits), to_fake * len(logits)


def _cost(logits: Tensor, target: float) -> Tensor:
    """Return the cross-entropy by way of probabilities, as in the seed text."""
    probability = torch.sigmoid(logits)
    return -target * torch.log(probability) - (1 - target) * torch.log1p(-probability)


def measured_gradients(settings: Settings) -> tuple[list[Measured], dict[str, Any]]:
    """Compare the gradient with its formula, and measure how much of it is left where D saturates."""
    alpha = settings.alpha
    logits = torch.linspace(-40, 40, 4_001, dtype=torch.float64)
    gradients = {kind: logit_gradients(settings.loss(kind), logits) for kind in KINDS}
    errors = [
        gradients[kind][side] - theory.logit_gradient(logits, target)
        for kind in KINDS
        for side, target in enumerate(settings.loss(kind).targets)
    ]
    middle = logits[logits.abs() < 8]
    slope = central_difference(lambda at: _cost(at, 1 - alpha), middle, 1e-5)
    figures = [
        *formula_errors(
            ("lesson-autograd", "lesson-differences"),
            say("gradient D - y"),
            (torch.cat(errors), slope - theory.logit_gradient(middle, 1 - alpha)),
            of="targets",
            tolerances=(1e-7, 1e-7),
        ),
        *_smallest_gradients(gradients, logits, alpha),
    ]
    return figures, {
        "logits": logits.numpy(),
        **{kind: [side.numpy() for side in sides] for kind, sides in gradients.items()},
    }


def _smallest_gradients(
    gradients: dict[str, tuple[Tensor, Tensor]], logits: Tensor, alpha: float
) -> list[Measured]:
    """Measure the smallest gradients of soft labels, where D saturates and at any logit."""
    saturated = logits.abs() > 20
    two_sided = torch.stack(gradients["two-sided"]).abs()
    one_sided = gradients["one-sided"][1].abs()
    return [
        claim(
            "saturated-two-sided",
            say("smallest |D - y| where D saturates, two-sided"),
            float(two_sided[:, saturated].min()),
            alpha,
            of="targets",
            tolerance=1e-6,
        ),
        limit(
            "saturated-one-sided",
            say("smallest |D - y| where D saturates, generated images, one-sided"),
            float(one_sided[saturated].min()),
            alpha,
            of="targets",
            tolerance=1e-6,
        ),
        limit(
            "smallest-two-sided",
            say("smallest |D - y| at any logit, two-sided"),
            float(two_sided.min()),
            alpha,
            of="targets",
            tolerance=1e-6,
        ),
    ]
