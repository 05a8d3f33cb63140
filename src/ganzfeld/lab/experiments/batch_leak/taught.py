"""Discriminators of toy images with every norm, taught and tested in batches of every composition."""

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import softplus

from ganzfeld.compute.seeding import Purpose, noise_at
from ganzfeld.lab.estimate import Estimate, mean_and_error
from ganzfeld.lab.experiments.batch_leak import BATCHINGS, NORMS, Settings, theory
from ganzfeld.lab.experiments.batch_leak.images import SIDE, toy_discriminator

TOYS = 48
"""Number of steps' worth of batches on which a discriminator of toy images is tested."""


def bright_and_dark(is_fake: Tensor, noise: torch.Generator) -> tuple[Tensor, Tensor]:
    """Draw an image per entry of ``is_fake`` (N,), bright or dark with noise, (N, 1, 16, 16), and which are
    bright, (N,).

    Half of the real images are bright, and four in five of the fake ones, which have lost much of a mode; so
    65 % at most of single images can be classified correctly, by the rule that a bright one is fake.
    """
    shares = torch.where(is_fake, theory.BRIGHT["fake"], theory.BRIGHT["real"])
    bright = torch.rand(len(is_fake), generator=noise) < shares
    pixels = 0.5 * torch.randn(len(is_fake), 1, SIDE, SIDE, generator=noise)
    return torch.where(bright, 1.0, -1.0).view(-1, 1, 1, 1) + pixels, bright


def batches(batching: str, batch: int, noise: torch.Generator) -> list[Tensor]:
    """Return which images of the batches of a step are fake, (N,) per batch, 2 ``batch`` images in all.

    ``separate``: a batch of real images and one of fakes. ``even``: both in one batch. ``random``: one batch,
    in which every number of fakes is equally likely.
    """
    if batching == "separate":
        return [torch.zeros(batch, dtype=torch.bool), torch.ones(batch, dtype=torch.bool)]
    num = batch if batching == "even" else int(torch.randint(2 * batch + 1, (), generator=noise))
    return [torch.arange(2 * batch) < num]


def taught(batching: str, normalisation: str, settings: Settings, seed: int, number: int) -> float:
    """Teach a discriminator in batches of a composition, and return the share of images that it classifies
    correctly in others of the same composition.

    On the same images the best rule for single ones is correct for 65 % in the mean; how far its share is
    from that is chance, and subtracted.
    """
    noise = noise_at(seed, Purpose.LATENTS, number)
    discriminator = toy_discriminator(normalisation, seed, number)
    adam = torch.optim.Adam(discriminator.parameters(), lr=2e-3, betas=(0.5, 0.99), fused=True)
    for _ in range(settings.steps):
        margins = torch.cat(
            [
                _margins(discriminator, bright_and_dark(is_fake, noise)[0], is_fake)
                for is_fake in batches(batching, settings.batch, noise)
            ]
        )
        adam.zero_grad()
        softplus(-margins).mean().backward()
        adam.step()
    more = []
    with torch.no_grad():
        for _ in range(TOYS):
            for is_fake in batches(batching, settings.batch, noise):
                images, bright = bright_and_dark(is_fake, noise)
                correct, by_rule = _margins(discriminator, images, is_fake) > 0, bright == is_fake
                more.append(correct.double() - by_rule.double())
    return theory.BEST + float(torch.cat(more).mean())


def _margins(discriminator: torch.nn.Module, images: Tensor, is_fake: Tensor) -> Tensor:
    """Return the logits of one batch, those of fakes with the other sign, so that above 0 is correct."""
    logits = discriminator(images)
    return torch.where(is_fake, -logits, logits)


def matrix(settings: Settings, seed: int) -> tuple[dict[tuple[str, str], Estimate], dict[str, Any]]:
    """Return the share that is classified correctly by batching and norm, with the error over replicas, and
    the same with the limits of single images and of whole batches, to be drawn.
    """
    shares = {
        (batching, norm): torch.tensor(
            [taught(batching, norm, settings, seed, number) for number in range(settings.replicas)]
        )
        for batching in BATCHINGS
        for norm in NORMS
    }
    cells = {cell: mean_and_error(values) for cell, values in shares.items()}
    limits = {batching: theory.best_in_batches(batching, settings.batch) for batching in BATCHINGS}
    return cells, {"cells": cells, "limits": limits, "best": theory.BEST}
