"""Whether the generator follows the class label, and how varied the images of each class are.

Distances are Euclidean, between images that are averaged down to 16 pixels a side.
"""

import torch
from torch import Tensor

from ganzfeld.health.forward_trace import forward
from ganzfeld.health.probe import ProbeContext
from ganzfeld.health.readings.latent import distances, small

PASSES = True

NAMES = {
    "class_diversity_worst": "Mean distance between generated images of one class, over that between real"
    " images of the class; the smallest of all classes: 1 as varied as the data, 0 all images of a class are"
    " alike. Classes with fewer than 4 of the fixed real images do not count. Only with classes.",
    "class_poorest": "Number of that class, from 0, in the order of the class names.",
    "class_effect": "Mean distance between two images of the live generator from one latent in two classes,"
    " over that between images from two latents, whatever their classes; at 0 the generator ignores the"
    " class. Only with classes.",
}

LEAST = 4
"""Fewest images of a class, which make six pairs: with fewer the mean distance varies too much by chance."""


def read(probe: ProbeContext) -> dict[str, Tensor]:
    """Return all readings of a run by class, and none without classes."""
    if probe.labels is None:
        return {}
    result = {"class_effect": _effect(probe)}
    if len(probe.real) >= 2 * LEAST:
        variety = _variety(probe, probe.labels)
        result["class_diversity_worst"], result["class_poorest"] = variety.min(), variety.argmin().float()
    return result


def _effect(probe: ProbeContext) -> Tensor:
    assert probe.some_labels is not None
    others = (probe.some_labels + 1) % probe.generator.num_classes
    images = small(probe.generator_trace.output)
    in_others = small(forward(probe.generator, probe.some_latents, others))
    pairs = len(images) * (len(images) - 1)
    apart = distances(images).sum() / pairs
    return (in_others - images).norm(dim=1).mean() / apart.clamp_min(torch.finfo(apart.dtype).tiny)


def _variety(probe: ProbeContext, labels: Tensor) -> Tensor:
    """Return the variety of each class as a share of the variety of the data, (classes,)."""
    of_real = labels[: len(probe.real)]
    num_classes = probe.generator.num_classes
    of_generated, _ = _by_class(probe.images, labels, num_classes)
    of_data, numbers = _by_class(probe.real, of_real, num_classes)
    # A class without a usable distance must not be the smallest.
    return torch.where((numbers >= LEAST) & (of_data > 0), of_generated / of_data, torch.inf)


def _by_class(images: Tensor, labels: Tensor, num_classes: int) -> tuple[Tensor, Tensor]:
    """Return the mean distance within each class and its number of images, both (classes,)."""
    members = (labels[:, None] == torch.arange(num_classes, device=labels.device)).float()
    numbers = members.sum(0)
    apart = ((members @ members.t()) * distances(small(images))).sum(1)
    return (apart @ members) / (numbers * (numbers - 1)).clamp_min(1), numbers
