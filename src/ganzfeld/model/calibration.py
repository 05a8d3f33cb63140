"""Statistics of batch normalisation, fixed on the weights that are shipped.

In training they follow the generator, not the moving average of its weights that becomes the model. Here they
are measured on that average itself, once, so that an image never depends on the others of its batch.
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
    """A copy in eval mode whose batch norms hold the mean and variance over 512 fixed latents.

    Classes come as often as ``images_by_class`` says, as they do in training; without it all alike.

    Largest singular values of spectrally normalised weights are found anew: averages of the vectors that give
    them are not those of the averaged weights. Draws from a random state of its own.
    """
    # As a loaded model is: layout and ways decide how the libraries add, and with it the last bit.
    shipped = for_making_images(copy.deepcopy(generator))
    settle(shipped)
    norms = [module for module in shipped.modules() if isinstance(module, _BatchNorm)]
    if norms:
        _measure(shipped, norms, prior, images_by_class or [1] * generator.num_classes)
    return shipped


def _measure(generator: Generator, norms: list[_BatchNorm], prior: str, by_class: Sequence[int]) -> None:
    device = next(generator.parameters()).device
    noise = torch.Generator().manual_seed(SEED)
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # torch's way of asking for the plain average over all batches
        norm.train()
    for _ in range(NUM_LATENTS // BATCH):
        latents = priors.load(prior).sample(BATCH, generator.latent_size, noise)
        labels = None
        if by_class:
            shares = torch.tensor(by_class, dtype=torch.float64)
            labels = torch.multinomial(shares, BATCH, replacement=True, generator=noise).to(device)
        generator(latents.to(device), labels)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
        norm.eval()
