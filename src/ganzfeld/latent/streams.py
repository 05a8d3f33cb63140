"""The stream of random numbers of each seed."""

import numpy as np
import torch

TORCH_SEEDS = 2**32
"""Torch's generator on the CPU uses only the lowest 32 bits of a seed."""

_HEADER_BYTES = 24
"""The bytes of a generator's state before its words: seed, position and flags, as in torch since 1.0."""
_WORDS = 624
"""The words of the state of a Mersenne twister."""


def noise_of_seed(seed: int) -> torch.Generator:
    """Return the generator on the CPU for a seed, a whole number from 0 to 2^63 - 1.

    Below 2^32 it is torch's own generator for that seed. From 2^32 on, torch would ignore the higher bits, so
    that 7 and 2^32 + 7 would be the same. There the whole seed is hashed to all words of the state
    (``numpy.random.SeedSequence``, O'Neill 2015), so every seed has a stream of its own.
    """
    if seed < TORCH_SEEDS:
        return torch.Generator().manual_seed(seed)
    words = np.random.SeedSequence(seed).generate_state(_WORDS, np.uint32).astype(np.uint64)
    noise = torch.Generator().manual_seed(0)
    state = noise.get_state()
    bits = torch.from_numpy(words.view(np.uint8))
    state[_HEADER_BYTES : _HEADER_BYTES + len(bits)] = bits
    noise.set_state(state)
    return noise
