"""The scale of quality of a run: how far its images are from untrained ones and from its data."""

import numpy as np
import torch
from torch import Tensor

from ganzfeld.data.order import evenly_spaced
from ganzfeld.health.forward_trace import forward
from ganzfeld.metrics.quality_scale import LEAST, NUM_REALS, QualityScale
from ganzfeld.model import as_bytes
from ganzfeld.networks import Generator
from ganzfeld.training.build import build_networks
from ganzfeld.training.trainer import Trainer


def scale_of(trainer: Trainer, latents: Tensor, labels: Tensor | None) -> QualityScale | None:
    """Return the scale of a run for the images of ``latents`` (N, n) in classes ``labels`` (N,).

    It is a function of the data, the recipe and the seed, so that it is the same after resuming. Returns None
    if there are too few images.
    """
    num_pictures = trainer.dataset.num_pictures
    num_others = min(len(latents), num_pictures // 2)
    num_reals = min(NUM_REALS, num_pictures - num_others)
    if min(num_others, num_reals, len(latents)) < LEAST:
        return None
    indices = evenly_spaced(num_pictures, num_reals + num_others)
    others = evenly_spaced(len(indices), num_others)
    return QualityScale(
        trainer.dataset.batch(np.delete(indices, others)),
        trainer.dataset.batch(indices[others]),
        bytes_of(forward(untrained_generator(trainer), latents, labels)),
    )


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
