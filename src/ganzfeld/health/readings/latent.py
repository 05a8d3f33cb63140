"""How varied generated images are, and how much they depend on the latent.

Distances are Euclidean, between images that are averaged down to 16 pixels a side; sensitivity uses all
pixels.
"""

import torch
from torch import Tensor
from torch.nn import functional

from ganzfeld.health.probe import ProbeContext

PASSES = True

NAMES = {
    "diversity": "Mean distance between the images of 64 fixed latents, over that between 64 fixed real"
    " images: 1 as varied as the data, 0 all images are alike.",
    "twins": "Share of these images whose nearest other image is closer than it is for 95 % of the real"
    " images: 0.05 like the data, 1 every image has a near duplicate, as also before training.",
    "sensitivity": "Change of 16 images of the live generator for a small step of the latent in a random"
    " direction, relative to the step, over the mean distance between images relative to that between"
    " latents: 1 like a linear map, above 1 rugged, near 0 no local effect of the latent. Not read where all"
    " images are alike.",
    "latent_share": "Share of the variance of the base map (after normalisation and activation) that is"
    " across latents, not across channels and positions: 0 to 1; at 0 the latent has no effect.",
    "drift": "Mean distance between the images of a latent now and at the previous reading, over the mean"
    " distance between images of different latents now; 0 or more.",
}

SIDE_PX = 16
STEP = 0.01
"""As a share of the mean distance between latents: small enough to be local, large enough for float32."""

SEED = 0x5E25
NUM_MOVED = 16

_AVERAGED = {1: functional.adaptive_avg_pool1d, 2: functional.adaptive_avg_pool2d}
_AVERAGED |= {3: functional.adaptive_avg_pool3d}


def read(probe: ProbeContext) -> dict[str, Tensor]:
    """Return all readings; without pairs of images only ``latent_share``, and no drift the first time."""
    base_map = probe.generator_trace.first
    result = {} if base_map is None else {"latent_share": _latent_share(base_map)}
    if len(probe.latents) < 2:
        return result
    images = small(probe.images)
    apart = distances(images)
    result["sensitivity"] = _sensitivity(probe)
    if len(probe.real) > 1:
        apart_real = distances(small(probe.real))
        result["diversity"] = _mean(apart) / _mean(apart_real)
        result["twins"] = (_nearest(apart) < torch.quantile(_nearest(apart_real), 0.05)).float().mean()
    if probe.images_before is not None:
        moved = (images - small(probe.images_before)).norm(dim=1).mean()
        result["drift"] = moved / _mean(apart)
    return result


def small(images: Tensor) -> Tensor:
    """Average images (N, C, *size) down to at most 16 pixels a side, as vectors (N, values)."""
    size = [min(SIDE_PX, side) for side in images.shape[2:]]
    return _AVERAGED[len(size)](images.float(), size).flatten(1)


def distances(vectors: Tensor) -> Tensor:
    """Return the Euclidean distances (N, N) between vectors (N, n), exactly 0 between equal ones."""
    return torch.cdist(vectors, vectors, compute_mode="donot_use_mm_for_euclid_dist")


def _mean(distances: Tensor) -> Tensor:
    """Return the mean distance over all pairs of different rows."""
    return distances.sum() / (len(distances) * (len(distances) - 1))


def _nearest(distances: Tensor) -> Tensor:
    """Return the distance (N,) of each row of distances (N, N) to its nearest other row."""
    return distances.clone().fill_diagonal_(torch.inf).min(1).values


def _sensitivity(probe: ProbeContext) -> Tensor:
    latents = probe.some_latents[:NUM_MOVED]
    noise = torch.Generator().manual_seed(SEED)
    direction = functional.normalize(torch.randn(latents.shape, generator=noise)).to(latents.device)
    between = _mean(distances(latents))
    step = STEP * between
    images = probe.generate(slice(NUM_MOVED)).flatten(1)
    moved = probe.generate(slice(NUM_MOVED), step * direction).flatten(1) - images
    return (moved.norm(dim=1).mean() / step) / (_mean(distances(images)) / between)


def _latent_share(base_map: Tensor) -> Tensor:
    total = base_map.var(correction=0)
    return base_map.var(0, correction=0).mean() / total.clamp_min(torch.finfo(total.dtype).tiny)
