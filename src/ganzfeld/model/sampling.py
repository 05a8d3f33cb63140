"""Pictures from a generator: one seed, one picture, whatever else is made in the same call."""

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from ganzfeld.latent import latents_of_seeds, truncate
from ganzfeld.networks import Generator

LARGEST_CHUNK = 64
PIXELS_OF_A_CHUNK = 2**18


def pictures_of_seeds(
    generator: Generator, seeds: Sequence[int], *, prior: str = "normal", truncation: float = 1.0
) -> np.ndarray:
    """One picture a seed: uint8, (len(seeds), height, width, channels).

    ``truncation`` pulls the latents towards the centre of the prior. Raises ``UsageError`` for seeds or
    truncations out of range.
    """
    latents = latents_of_seeds(seeds, generator.latent_size, prior)
    return pictures_of_latents(generator, truncate(latents, truncation))


@torch.no_grad()
def pictures_of_latents(generator: Generator, latents: Tensor) -> np.ndarray:
    """Latents (N, latent_size) to uint8 pictures (N, *size, channels), in float32 and eval mode."""
    weight = next(generator.parameters())
    assert not generator.training, "statistics must be fixed before pictures are made"
    pictures = []
    size = chunk_size(generator)
    for chunk in latents.split(size):
        filled = torch.zeros(size, latents.shape[1])
        filled[: len(chunk)] = chunk
        pictures.append(as_bytes(generator(filled.to(weight.device)))[: len(chunk)])
    if not pictures:
        return np.empty((0, *generator.plan.size, generator.channels), np.uint8)
    return np.concatenate(pictures)


def chunk_size(generator: Generator) -> int:
    """How many pictures are always made at once, the last chunk filled up.

    The libraries below choose their algorithm, and with it the order of additions, by the shape of the batch:
    a constant shape makes a picture the same to the last bit alone or among thousands.
    """
    return max(1, min(LARGEST_CHUNK, PIXELS_OF_A_CHUNK // math.prod(generator.plan.size)))


def as_bytes(pictures: Tensor) -> np.ndarray:
    """Pictures (N, C, *size) in [-1, 1] to uint8 (N, *size, C): -1 is 0, 1 is 255, values between are rounded
    to the nearest level, values outside are clipped.
    """
    levels = ((pictures.detach().float() + 1) * 127.5).round().clamp(0, 255)
    return levels.movedim(1, -1).to(torch.uint8).cpu().numpy()
