"""The Jacobian of a generator: how each value of an image changes with each component of its latent."""

import warnings

import torch
from torch import Tensor

from ganzfeld.inside.latent_model import LatentModel
from ganzfeld.progress import CountCallback, silent


def jacobian(model: LatentModel, latent: Tensor, label: int | None = None) -> Tensor:
    """Return the transposed Jacobian (latent_size, values) of the image of a latent (latent_size,).

    By forward-mode differentiation: one pass with as many copies of the latent as it has components, each of
    which moves along its own. Values of the image are in [-1, 1].
    """
    size = model.latent_size
    # At least two images: on a CPU torch 2.13 differentiates instance norms wrongly for a batch of one.
    copies = max(2, size)
    latents = latent.expand(copies, size).contiguous()
    tangents = torch.eye(copies, size, dtype=latents.dtype)
    labels = None if label is None else torch.full((copies,), label)

    def images(points: Tensor) -> Tensor:
        # The module's own forward: checks of arguments would read values, which a transform does not have.
        return model.generator.forward(points, labels)

    with warnings.catch_warnings():
        # Torch's own rules of forward mode are scripted, which torch itself calls deprecated.
        warnings.simplefilter("ignore", DeprecationWarning)
        changes = torch.func.jvp(images, (latents,), (tangents,))[1]
    return changes[:size].flatten(1).detach()


def mean_square_jacobian(
    model: LatentModel, latents: Tensor, label: int | None = None, progress: CountCallback = silent
) -> Tensor:
    """Return the mean of J'J over latents (n, latent_size), float64 (latent_size, latent_size).

    J is the Jacobian of the values of an image, divided by the root of their number: d'(J'J)d is the mean
    square change of a value for a short step d. Ramesh et al. 2018, and Wang & Ponce 2021 for the mean.
    """
    total = torch.zeros(model.latent_size, model.latent_size, dtype=torch.float64)
    for index, latent in enumerate(latents):
        progress(index, len(latents), "differentiating images")
        rows = jacobian(model, latent, label)
        total += (rows @ rows.T).double() / rows.shape[1]
    progress(len(latents), len(latents), "differentiating images")
    return total / len(latents)
