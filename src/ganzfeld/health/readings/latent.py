"""Whether images differ, and whether it is the latent that makes them differ.

Distances are Euclidean, between images averaged to 16 pixels a side; sensitivity takes all pixels.
"""

import torch
from torch import Tensor
from torch.nn import functional

from ganzfeld.health.probe import ProbeContext

PASSES = True

NAMES = {
    "diversity": "Mean distance between the images of 64 fixed latents over that between 64 fixed real"
    " images: 1 as varied as the data, 0 all alike.",
    "twins": "Share of those images with another one nearer than all but 5 % of the real images have:"
    " 0.05 like the data, 1 every image has its double, as also before anything is learnt.",
    "sensitivity": "How far 16 images of the live generator move for a small step of the latent in a random"
    " direction, per distance between images for the distance between latents: 1 as a linear map would,"
    " above 1 rugged, near 0 the latent does nothing nearby. Not read where all images are alike.",
    "latent_share": "Of the variance of the seed map, normalised and activated, the share that is over"
    " latents and not over channels and positions: 0 to 1; at 0 the latent does not enter.",
    "drift": "Mean distance between the image of a latent now and at the last look, over the mean distance"
    " between images of different latents now; 0 or more.",
}

SIDE_PX = 16
STEP = 0.01
"""Of the mean distance between latents: small against what bends, large against rounding."""

SEED = 0x5E25
NUM_MOVED = 16

_AVERAGED = {1: functional.adaptive_avg_pool1d, 2: functional.adaptive_avg_pool2d}
_AVERAGED |= {3: functional.adaptive_avg_pool3d}


def read(probe: ProbeContext) -> dict[str, Tensor]:
    """All of them; no drift at the first look, and nothing of pairs where there are none."""
    found = {"latent_share": _latent_share(probe.generated.first)}
    if len(probe.latents) < 2:
        return found
    images = small(probe.images)
    apart = distances(images)
    found["sensitivity"] = _sensitivity(probe)
    if len(probe.real) > 1:
        apart_real = distances(small(probe.real))
        found["diversity"] = _mean(apart) / _mean(apart_real)
        found["twins"] = (_nearest(apart) < torch.quantile(_nearest(apart_real), 0.05)).float().mean()
    if probe.images_before is not None:
        moved = (images - small(probe.images_before)).norm(dim=1).mean()
        found["drift"] = moved / _mean(apart)
    return found


def small(images: Tensor) -> Tensor:
    """(N, C, *size) to (N, values), averaged over areas."""
    size = [min(SIDE_PX, side) for side in images.shape[2:]]
    return _AVERAGED[len(size)](images.float(), size).flatten(1)


def distances(vectors: Tensor) -> Tensor:
    """(N, n) to (N, N), exact where two are equal."""
    return torch.cdist(vectors, vectors, compute_mode="donot_use_mm_for_euclid_dist")


def _mean(distances: Tensor) -> Tensor:
    """Over all pairs of two."""
    return distances.sum() / (len(distances) * (len(distances) - 1))


def _nearest(distances: Tensor) -> Tensor:
    """(N, N) to (N,): the distance of each to the nearest other."""
    return distances.clone().fill_diagonal_(torch.inf).min(1).values


def _sensitivity(probe: ProbeContext) -> Tensor:
    latents = probe.some_latents[:NUM_MOVED]
    noise = torch.Generator().manual_seed(SEED)
    direction = functional.normalize(torch.randn(latents.shape, generator=noise)).to(latents.device)
    between = _mean(distances(latents))
    step = STEP * between
    images = probe.made(slice(NUM_MOVED)).flatten(1)
    moved = probe.made(slice(NUM_MOVED), step * direction).flatten(1) - images
    return (moved.norm(dim=1).mean() / step) / (_mean(distances(images)) / between)


def _latent_share(base_map: Tensor) -> Tensor:
    total = base_map.var(correction=0)
    return base_map.var(0, correction=0).mean() / total.clamp_min(torch.finfo(total.dtype).tiny)
