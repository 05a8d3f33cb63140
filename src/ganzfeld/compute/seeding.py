"""Stateless randomness: every draw is a pure function of the seed, its purpose and the step."""

from enum import IntEnum

import numpy as np
import torch


class Purpose(IntEnum):
    """The purpose of a random draw; the streams of different purposes are independent."""

    GENERATOR_WEIGHTS = 1
    DISCRIMINATOR_WEIGHTS = 2
    LATENTS = 3
    STABILISERS = 4
    MIRROR = 5
    CROP = 6


def derived_seed(seed: int, purpose: Purpose, index: int = 0) -> int:
    """Derive a seed in [0, 2^63) for one purpose at one step."""
    (word,) = np.random.SeedSequence((seed, int(purpose), index)).generate_state(1, np.uint64)
    return int(word) >> 1


def noise_at(seed: int, purpose: Purpose, index: int) -> torch.Generator:
    """Return a CPU random generator, seeded for one purpose at one step."""
    return torch.Generator().manual_seed(derived_seed(seed, purpose, index))
