"""Passes through the networks of a loop that leave no trace: no random state, mode, buffer or attribute."""

import contextlib
import random
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import nn

SEED = 0x9A7C
"""Noise inside networks, such as dropout, is the same in all readings."""


@contextlib.contextmanager
def undisturbed(networks: Sequence[nn.Module], device: torch.device) -> Iterator[None]:
    """Restore every random state and every attribute of the modules after the block.

    Inside it there are no gradients and no autocast, compiled networks run uncompiled, and random numbers
    begin at a fixed seed. Buffers are protected by ``forward_trace.forward``.
    """
    states = random.getstate(), np.random.get_state()
    on_mps = torch.mps.get_rng_state() if device.type == "mps" else None
    attributes = [(vars(module), dict(vars(module))) for network in networks for module in network.modules()]
    devices = [device] if device.type == "cuda" else []
    try:
        with (
            torch.random.fork_rng(devices),
            torch.autocast(device.type, enabled=False),
            torch.compiler.set_stance("force_eager"),
            torch.no_grad(),
        ):
            torch.default_generator.manual_seed(SEED)
            if device.type == "cuda":
                torch.cuda.manual_seed(SEED)
            yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])
        if on_mps is not None:
            torch.mps.set_rng_state(on_mps)
        for current, before in attributes:
            for name in current.keys() - before.keys():
                del current[name]
            current.update(before)
