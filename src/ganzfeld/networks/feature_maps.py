"""The feature maps of a discriminator: the output of each of its layers, after the activation."""

import torch
from torch import Tensor

from ganzfeld.networks.discriminator import Discriminator


def layer_names(discriminator: Discriminator) -> tuple[str, ...]:
    """Return the names of the layers, from the image to the base map: ``layer-1``, ``layer-2``, ..."""
    return tuple(f"layer-{number}" for number in range(1, len(discriminator.layers)))


def feature_maps(discriminator: Discriminator, images: Tensor, labels: Tensor | None = None) -> list[Tensor]:
    """Return the maps (B, C, H, W) of each layer for images (B, channels, *size) in [-1, 1].

    Without ``labels`` (B,), the planes of a discriminator that takes classes as planes are the mean of those
    of all classes, so that its maps know nothing of the class of an image.
    """
    maps, outputs = images, []
    if discriminator.condition is not None:
        maps = _with_planes(discriminator, images, labels)
    for number, layer in enumerate(discriminator.layers):
        maps = layer(maps)
        if number:  # the first layer's activation is a module of its own
            outputs.append(maps)
    return outputs


def _with_planes(discriminator: Discriminator, images: Tensor, labels: Tensor | None) -> Tensor:
    condition = discriminator.condition
    assert condition is not None
    if labels is not None:
        return condition.add_planes(images, labels)
    classes = torch.arange(discriminator.num_classes, device=images.device)
    one_cell = images.new_zeros(len(classes), images.shape[1], *[1] * (images.dim() - 2))
    planes = condition.add_planes(one_cell, classes)[:, images.shape[1] :].mean(0, keepdim=True)
    return torch.cat((images, planes.expand(len(images), -1, *images.shape[2:])), 1)
