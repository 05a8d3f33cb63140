"""Statistics of batch normalisation, fixed on the weights that are shipped.

In training they follow the generator, not the moving average of its weights that becomes the model. Here they
are measured on that average itself, once, so that a picture never depends on the others of its batch.
"""

import copy

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from ganzfeld.latent import priors
from ganzfeld.networks import Generator

NUM_LATENTS = 512
BATCH = 128
SEED = 0x6A17


@torch.no_grad()
def calibrate(generator: Generator, prior: str) -> Generator:
    """A copy in eval mode whose batch norms hold the mean and variance over 512 fixed latents.

    Draws from a random state of its own. A generator without batch norm is only copied.
    """
    shipped = copy.deepcopy(generator).eval()
    norms = [module for module in shipped.modules() if isinstance(module, _BatchNorm)]
    if norms:
        _measure(shipped, norms, prior)
    return shipped


def _measure(generator: Generator, norms: list[_BatchNorm], prior: str) -> None:
    device = next(generator.parameters()).device
    noise = torch.Generator().manual_seed(SEED)
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # torch's way of asking for the plain average over all batches
        norm.train()
    for _ in range(NUM_LATENTS // BATCH):
        latents = priors.load(prior).sample(BATCH, generator.latent_size, noise)
        generator(latents.to(device))
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
        norm.eval()


def has_batch_statistics(network: nn.Module) -> bool:
    """Whether any module keeps running statistics of batches."""
    return any(isinstance(module, _BatchNorm) for module in network.modules())
