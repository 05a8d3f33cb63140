"""What an image owes to the others of its batch, where batch normalisation lets them speak to each other."""

import torch
from torch import Tensor

from ganzfeld.health.looking import has_batch_statistics, passed
from ganzfeld.health.patient import ProbeContext

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


def read(patient: ProbeContext) -> dict[str, Tensor]:
    """What the networks have statistics for."""
    found = {}
    batch = patient.fake_logits.shape[1]
    if has_batch_statistics(patient.generator) and batch >= 2:
        found["batch_noise"] = _noise(patient, batch)
    if has_batch_statistics(patient.discriminator) and len(patient.some_real) >= 4:
        found["batch_leak"] = _leak(patient)
    return found


def _noise(patient: ProbeContext, batch: int) -> Tensor:
    """Each image is made twice, in a batch of its neighbours and in one of images from all batches."""
    latents = min(NUM_LATENTS, len(patient.some_latents))
    size = min(batch, latents // 2)
    num = latents // size
    together = torch.cat([patient.made(slice(at * size, (at + 1) * size)) for at in range(num)])
    scattered = [patient.made(slice(first, num * size, num)) for first in range(num)]
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


def _leak(patient: ProbeContext) -> Tensor:
    real, labels = patient.some_real, None
    half = len(real) // 2
    among_real = patient.judged_real.output
    with_fake = torch.cat((real[:half], patient.generated.output[: len(real) - half]))
    if patient.some_real_labels is not None and patient.some_labels is not None:
        labels = torch.cat((patient.some_real_labels[:half], patient.some_labels[: len(real) - half]))
    moved = passed(patient.discriminator, with_fake, labels)[:half] - among_real[:half]
    return moved.square().mean().sqrt() / among_real.std(correction=0)
