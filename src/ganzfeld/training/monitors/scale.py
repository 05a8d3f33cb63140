"""The scale of quality of a run: how far its images are from untrained ones and from its data."""

import numpy as np
import torch
from torch import Tensor

from ganzfeld.data import ImageDataset
from ganzfeld.data.kinds import IMAGE
from ganzfeld.data.order import evenly_spaced
from ganzfeld.health.forward_trace import forward
from ganzfeld.metrics import Side, Space
from ganzfeld.metrics.extraction import features_of
from ganzfeld.metrics.measures.kernel_distance import kernel_distance
from ganzfeld.metrics.quality_scale import LEAST, NUM_REALS, QualityScale
from ganzfeld.model import as_bytes
from ganzfeld.networks import Generator
from ganzfeld.training.build import build_networks
from ganzfeld.training.trainer import Trainer


def quality_scale_of(trainer: Trainer, latents: Tensor, labels: Tensor | None) -> QualityScale | None:
    """Return the scale of a run for the images of ``latents`` (N, n) in classes ``labels`` (N,).

    It is a function of the data, the recipe and the seed, so that it is the same after resuming. Returns None
    if there are too few images, or other data.
    """
    if trainer.dataset.framing.kind != IMAGE:
        return None
    reals, others = reals_of(trainer.dataset, len(latents))
    if min(len(reals), len(others)) < LEAST:
        return None
    return QualityScale(reals, others, bytes_of(forward(untrained_generator(trainer), latents, labels)))


def reals_of(dataset: ImageDataset, num: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the real images of a scale and, if there are enough, ``num`` others; all spread evenly."""
    num_others = min(num, dataset.num_pictures // 2)
    num_reals = min(NUM_REALS, dataset.num_pictures - num_others)
    indices = evenly_spaced(dataset.num_pictures, num_reals + num_others)
    others = evenly_spaced(len(indices), num_others)
    return dataset.batch(np.delete(indices, others)), dataset.batch(indices[others])


def worst_distance(untrained: np.ndarray, real: Side, space: Space) -> float:
    """Return the kernel distance at which the scale of ``quality_features`` begins.

    It is that of ``untrained`` images, or of the mean of the real ones for all latents if that is smaller.
    """
    same = np.rint(real.images.mean(0, keepdims=True)).astype(np.uint8)
    features = features_of(np.concatenate([untrained, same]), space)
    return min(
        kernel_distance(features[:-1], real.features),
        kernel_distance(features[-1:].expand(2, -1), real.features),
    )


def share_of_way(distance: float, worst: float) -> float:
    """Return a kernel distance as a share of the way from the worst (0) to none (1)."""
    return min(1.0, max(0.0, 1 - distance / worst))


def untrained_generator(trainer: Trainer) -> Generator:
    """Return the generator as it was before the first step, with the seed's weights. Do not change it."""
    if not trainer.index:
        return trainer.gan.generator_ema
    num_classes = len(trainer.classes.names) if trainer.classes else 0
    generator, _ = build_networks(trainer.recipe, trainer.dataset.channels, trainer.seed, num_classes)
    return trainer.engine.place(generator).requires_grad_(False)


def bytes_of(images: Tensor) -> np.ndarray:
    """Return images as bytes (N, height, width, C); infinite values become black or white, NaN grey."""
    return as_bytes(torch.nan_to_num(images, nan=0.0, posinf=1.0, neginf=-1.0))
