"""How much an image depends on the other images of its batch, through batch normalisation."""

import torch
from torch import Tensor

from ganzfeld.health.forward_trace import forward, has_batch_statistics
from ganzfeld.health.probe import ProbeContext

PASSES = True

NAMES = {
    "batch_noise": "RMS change of an image of the live generator when the other images of its batch change,"
    " over the RMS difference between images: 0 no change, 1 as much as with another latent. Only with batch"
    " normalisation in the generator. For batch sizes above 8 it is measured in batches of 8 and scaled by"
    " 1 / sqrt(batch).",
    "batch_leak": "RMS change of the logits of real images when the other half of their batch is generated"
    " instead of real, over the standard deviation of these logits: 0 no change, 1 as much as two images"
    " differ. Only with batch normalisation in the discriminator.",
}

NUM_LATENTS = 16


def read(probe: ProbeContext) -> dict[str, Tensor]:
    """Return the reading of each network that has batch statistics."""
    result = {}
    batch = probe.fake_logits.shape[1]
    if has_batch_statistics(probe.generator) and batch >= 2:
        result["batch_noise"] = _noise(probe, batch)
    if has_batch_statistics(probe.discriminator) and len(probe.some_real) >= 4:
        result["batch_leak"] = _leak(probe)
    return result


def _noise(probe: ProbeContext, batch: int) -> Tensor:
    """Make each image twice, in a batch of its neighbours and in a batch of one image from each of these."""
    latents = min(NUM_LATENTS, len(probe.some_latents))
    size = min(batch, latents // 2)
    num = latents // size
    together = torch.cat([probe.generate(slice(at * size, (at + 1) * size)) for at in range(num)])
    scattered = [probe.generate(slice(first, num * size, num)) for first in range(num)]
    change = (together - torch.stack(scattered, 1).flatten(0, 1)).square().mean()
    spread = (together - together.mean(0)).square().mean()
    # Images that are in both batches do not change the batch means.
    others = 1 - _share_in_both(size, num)
    return (change / spread / others * (size / batch)).sqrt()


def _share_in_both(size: int, num: int) -> float:
    """Return the mean share of the other ``size - 1`` images of a batch that are also in the second batch."""
    at = range(num * size)
    in_both = sum(a // size == b // size and a % num == b % num for a in at for b in at)
    return (in_both / len(at) - 1) / (size - 1)


def _leak(probe: ProbeContext) -> Tensor:
    real, labels = probe.some_real, None
    half = len(real) // 2
    among_real = probe.real_trace.output
    with_fake = torch.cat((real[:half], probe.generator_trace.output[: len(real) - half]))
    if probe.some_real_labels is not None and probe.some_labels is not None:
        labels = torch.cat((probe.some_real_labels[:half], probe.some_labels[: len(real) - half]))
    moved = forward(probe.discriminator, with_fake, labels)[:half] - among_real[:half]
    return moved.square().mean().sqrt() / among_real.std(correction=0)
