"""What an image owes to the others of its batch, where batch normalisation lets them speak to each other."""

import torch
from torch import Tensor

from ganzfeld.health.looking import has_batch_statistics, passed
from ganzfeld.health.probe import ProbeContext

PASSES = True

NAMES = {
    "batch_noise": "By how much (root mean square) an image of the live generator changes when the others"
    " of its batch do, over the spread between images: 0 not at all, 1 as much as for another latent. Only"
    " with batch normalisation in the generator. For batches above 8 found in batches of 8, and scaled as"
    " 1 / sqrt(batch).",
    "batch_leak": "By how much (root mean square) the logits of real images move when the other half of"
    " their batch is generated instead of real, over the spread of the logits of real images: 0 not at all,"
    " 1 as much as two images differ. Only with batch normalisation in the discriminator.",
}

NUM_LATENTS = 16


def read(probe: ProbeContext) -> dict[str, Tensor]:
    """What the networks have statistics for."""
    found = {}
    batch = probe.fake_logits.shape[1]
    if has_batch_statistics(probe.generator) and batch >= 2:
        found["batch_noise"] = _noise(probe, batch)
    if has_batch_statistics(probe.discriminator) and len(probe.some_real) >= 4:
        found["batch_leak"] = _leak(probe)
    return found


def _noise(probe: ProbeContext, batch: int) -> Tensor:
    """Each image is made twice, in a batch of its neighbours and in one of images from all batches."""
    latents = min(NUM_LATENTS, len(probe.some_latents))
    size = min(batch, latents // 2)
    num = latents // size
    together = torch.cat([probe.made(slice(at * size, (at + 1) * size)) for at in range(num)])
    scattered = [probe.made(slice(first, num * size, num)) for first in range(num)]
    change = (together - torch.stack(scattered, 1).flatten(0, 1)).square().mean()
    spread = (together - together.mean(0)).square().mean()
    # Of two means over a batch only those members make a difference that are not in both.
    others = 1 - _share_that_stays(size, num)
    return (change / spread / others * (size / batch)).sqrt()


def _share_that_stays(size: int, num: int) -> float:
    """Of the others in a batch of ``size``, the share that is in both batches, over all images."""
    at = range(num * size)
    stay = sum(one // size == other // size and one % num == other % num for one in at for other in at)
    return (stay / len(at) - 1) / (size - 1)


def _leak(probe: ProbeContext) -> Tensor:
    real, labels = probe.some_real, None
    half = len(real) // 2
    among_real = probe.judged_real.output
    with_fake = torch.cat((real[:half], probe.generated.output[: len(real) - half]))
    if probe.some_real_labels is not None and probe.some_labels is not None:
        labels = torch.cat((probe.some_real_labels[:half], probe.some_labels[: len(real) - half]))
    moved = passed(probe.discriminator, with_fake, labels)[:half] - among_real[:half]
    return moved.square().mean().sqrt() / among_real.std(correction=0)
