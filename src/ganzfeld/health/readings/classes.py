"""Whether a generator that is asked for a class heeds it, and makes each class as varied as the data has it.

Distances are Euclidean, between images averaged to 16 pixels a side.
"""

import torch
from torch import Tensor

from ganzfeld.health.looking import passed
from ganzfeld.health.probe import ProbeContext
from ganzfeld.health.readings.latent import distances, small

PASSES = True

NAMES = {
    "class_diversity_worst": "The smallest, over the classes among the fixed real images, of the mean"
    " distance between generated images of one class over that between real ones: 1 as varied as the data,"
    " 0 a class whose images are all alike. Of classes with at least 4 images there; only with classes.",
    "class_poorest": "The number of that class, from 0 on, in the order of their names.",
    "class_effect": "Mean distance between two images of one latent in two classes, over that between"
    " images of two latents, whatever their classes; by the live generator. 0: the class is ignored. Only"
    " with classes.",
}

LEAST = 4
"""Images of a class, six pairs: of fewer, the mean distance is chance."""


def read(probe: ProbeContext) -> dict[str, Tensor]:
    """All of them, if there are classes."""
    if probe.labels is None:
        return {}
    found = {"class_effect": _effect(probe)}
    if len(probe.real) >= 2 * LEAST:
        variety = _variety(probe, probe.labels)
        found["class_diversity_worst"], found["class_poorest"] = variety.min(), variety.argmin().float()
    return found


def _effect(probe: ProbeContext) -> Tensor:
    assert probe.some_labels is not None
    others = (probe.some_labels + 1) % probe.generator.num_classes
    images = small(probe.generated.output)
    in_others = small(passed(probe.generator, probe.some_latents, others))
    pairs = len(images) * (len(images) - 1)
    apart = distances(images).sum() / pairs
    return (in_others - images).norm(dim=1).mean() / apart.clamp_min(torch.finfo(apart.dtype).tiny)


def _variety(probe: ProbeContext, labels: Tensor) -> Tensor:
    """Of each class as a share of the data's, (classes,)."""
    of_real = labels[: len(probe.real)]
    num_classes = probe.generator.num_classes
    made, _ = _by_class(probe.images, labels, num_classes)
    there, numbers = _by_class(probe.real, of_real, num_classes)
    # Where a class says nothing, what is there is taken for as good as can be.
    return torch.where((numbers >= LEAST) & (there > 0), made / there, torch.inf)


def _by_class(images: Tensor, labels: Tensor, num_classes: int) -> tuple[Tensor, Tensor]:
    """The mean distance between two images of a class, and the number of its images, both (classes,)."""
    members = (labels[:, None] == torch.arange(num_classes, device=labels.device)).float()
    numbers = members.sum(0)
    apart = ((members @ members.t()) * distances(small(images))).sum(1)
    return (apart @ members) / (numbers * (numbers - 1)).clamp_min(1), numbers
