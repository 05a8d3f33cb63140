"""``ring`` in situ: how generated images spread over clusters of real images."""

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from ganzfeld.lab.experiments.ring import LIVE_CLUSTERS, Settings
from ganzfeld.lab.language import say
from ganzfeld.lab.live import Live
from ganzfeld.lab.outcome import Measured, limit, shown


def in_situ(live: Live, settings: Settings, seed: int) -> tuple[list[Measured], dict[str, Any]]:
    """Measure how generated images spread over clusters of real images.

    Images have no known modes: 8 clusters of real images (k-means on 8 x 8 px) stand in for them. Other real
    images show the values of images that cover all clusters.
    """
    num = min(512, live.dataset.num_pictures // 2)
    real = _small(live.real(2 * num, seed))
    centres = clusters(real[:num], LIVE_CLUSTERS, seed)
    with torch.no_grad():
        images = _small(live.trainer().shipped()(live.latents(num, seed)))
    shares_of = {}
    for name, vectors in ((say("other real images"), real[num:]), (say("generated images"), images)):
        nearest = torch.cdist(vectors, centres).argmin(1)
        shares = torch.bincount(nearest, minlength=len(centres)).double() / num
        shares_of[name] = shares.numpy()
    base = torch.bincount(torch.cdist(real[:num], centres).argmin(1), minlength=len(centres)).double() / num
    figures = []
    for key, (name, shares) in zip(("real", "generated"), shares_of.items(), strict=True):
        figures += [
            limit(
                f"clusters-{key}",
                say("clusters of real images that {name} reach", name=name),
                float((shares >= 0.1 * base.numpy()).sum()),
                float(len(centres)),
                of="modes",
                part="in situ",
            ),
            shown(
                f"cluster-divergence-{key}",
                say("KL of the clusters of {name} from those of real images, nats", name=name),
                divergence(shares, base.numpy()),
                part="in situ",
            ),
        ]
    return figures, {"clusters": {**shares_of, say("real images"): base.numpy()}}


def divergence(shares: np.ndarray, base: np.ndarray) -> float:
    """Return KL(shares || base) in nats; a share of 0 adds nothing."""
    positive = shares > 0
    return float((shares[positive] * np.log(shares[positive] / base[positive])).sum())


def _small(images: Tensor) -> Tensor:
    """Average images to 8 x 8 px, (n, C * 64)."""
    return adaptive_avg_pool2d(images.float().cpu(), 8).flatten(1)


def clusters(points: Tensor, num: int, seed: int) -> Tensor:
    """Return the centres of k-means (num, d), started at distant points (Arthur & Vassilvitskii 2007)."""
    noise = torch.Generator().manual_seed(seed)
    centres = points[torch.randint(len(points), (1,), generator=noise)]
    while len(centres) < num:
        weights = torch.cdist(points, centres).min(1).values.square() + 1e-12
        centres = torch.cat([centres, points[torch.multinomial(weights, 1, generator=noise)]])
    for _ in range(30):
        nearest = torch.cdist(points, centres).argmin(1)
        for place in nearest.unique():
            centres[place] = points[nearest == place].mean(0)
    return centres
