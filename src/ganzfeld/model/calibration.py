"""Batch-norm statistics, measured on the weights of the saved model.

In training, the statistics belong to the generator's own weights, but the model has the moving average of
these weights. So the statistics are measured once on that average and then fixed, and an image never depends
on the other images of its batch.
"""

import copy
from collections.abc import Sequence

import torch
from torch.nn.modules.batchnorm import _BatchNorm

from ganzfeld.latent import priors
from ganzfeld.networks import Generator
from ganzfeld.networks.layout import for_making_images
from ganzfeld.networks.normalisations.spectral import settle

NUM_LATENTS = 512
BATCH = 128
SEED = 0x6A17


@torch.no_grad()
def calibrate(generator: Generator, prior: str, images_by_class: Sequence[int] | None = None) -> Generator:
    """Return a copy in eval mode whose batch norms hold the mean and variance over 512 fixed latents.

    Classes occur in proportion to ``images_by_class``, as in training, or equally often without it. The
    largest singular values of spectrally normalised weights are estimated again, since the averaged vectors
    of the power iteration do not belong to the averaged weights. Does not use torch's global random state.
    """
    # The same as in a loaded model: layout and ways decide the order of additions, and so the last bit.
    calibrated = for_making_images(copy.deepcopy(generator))
    settle(calibrated)
    norms = [module for module in calibrated.modules() if isinstance(module, _BatchNorm)]
    if norms:
        _measure(calibrated, norms, prior, images_by_class or [1] * generator.num_classes)
    return calibrated


def _measure(generator: Generator, norms: list[_BatchNorm], prior: str, by_class: Sequence[int]) -> None:
    device = next(generator.parameters()).device
    noise = torch.Generator().manual_seed(SEED)
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # torch then takes the plain average over all batches
        norm.train()
    for _ in range(NUM_LATENTS // BATCH):
        latents = priors.load(prior).sample(BATCH, generator.latent_size, noise)
        labels = None
        if by_class:
            weights = torch.tensor(by_class, dtype=torch.float64)
            labels = torch.multinomial(weights, BATCH, replacement=True, generator=noise).to(device)
        generator(latents.to(device), labels)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
        norm.eval()
