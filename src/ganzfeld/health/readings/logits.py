"""How well the discriminator tells, what it still has to learn and to teach, and whether the two circle.

All from the logits of the last steps (T, B), which training has computed anyway.
"""

import torch
from torch import Tensor
from torch.fft import rfft

from ganzfeld.health.probe import ProbeContext

PASSES = False

NAMES = {
    "logit_real_std": "Standard deviation of the logits of real images over the last 64 steps; 0 or more.",
    "logit_fake_std": "The same of generated images.",
    "separation": "The chance that a real image has a higher logit than a generated one of the same step"
    " (the area under the ROC curve, ties half): 0.5 is guessing, 1 tells every pair, below 0.5 is wrong.",
    "overlap": "The largest gap between the distribution functions of the logits of real and of generated"
    " images, each less the mean of its step, taken from 1 (Kolmogorov-Smirnov): 1 alike, 0 apart.",
    "lesson_discriminator": "Mean size of the discriminator's loss's derivative by its logits, over the same"
    " with all logits 0: 1 at the beginning, near 0 where there is nothing left to learn.",
    "lesson_generator": "The same of the generator's loss and the logits of its images: near 0 the"
    " generator is told nothing.",
    "logit_size": "The largest size of a logit in the last 64 steps; 0 or more.",
    "rhythm": "Of the difference of mean logits, real less generated, from step to step, without its linear"
    " trend: the share of the power at the strongest frequency of at least three periods in the window, over"
    " what white noise shows on average. 1 is noise, and one pure tone in 64 steps is 7.8.",
    "rhythm_period": "The period of that frequency, in steps: from 2 to a third of the window.",
}

LEAST_STEPS = 16
"""A rhythm is read from no fewer."""

LEAST_PERIODS = 3


def read(probe: ProbeContext) -> dict[str, Tensor]:
    """All of them; no rhythm in fewer than 16 steps, and nothing where few images would speak for many."""
    if probe.goes_on:
        return {}
    real, fake = probe.real_logits.float(), probe.fake_logits.float()
    to_discriminator, to_generator = _lessons(probe, real, fake)
    found = {
        "logit_real_std": real.std(correction=0),
        "logit_fake_std": fake.std(correction=0),
        "separation": _separation(real, fake),
        "overlap": _overlap(real, fake),
        "lesson_discriminator": to_discriminator,
        "lesson_generator": to_generator,
        "logit_size": torch.maximum(real.abs().max(), fake.abs().max()),
    }
    if len(real) >= LEAST_STEPS:
        found["rhythm"], found["rhythm_period"] = _rhythm(real.mean(1) - fake.mean(1))
    return found


def _separation(real: Tensor, fake: Tensor) -> Tensor:
    """Mann and Whitney's statistic, each step for itself: what all logits share does not count."""
    ranked = fake.sort(1).values
    below = torch.searchsorted(ranked, real.contiguous())
    not_above = torch.searchsorted(ranked, real.contiguous(), right=True)
    return (below + not_above).float().mean() / (2 * fake.shape[1])


def _overlap(real: Tensor, fake: Tensor) -> Tensor:
    centres = (real.mean(1, keepdim=True) + fake.mean(1, keepdim=True)) / 2
    real, fake = ((logits - centres).flatten().sort().values for logits in (real, fake))
    places = torch.cat((real, fake))
    shares = [torch.searchsorted(each, places, right=True) / each.numel() for each in (real, fake)]
    return 1 - (shares[0] - shares[1]).abs().max()


def _lessons(probe: ProbeContext, real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
    now, at_first = (
        _pulls(probe, each_real.flatten(), each_fake.flatten())
        for each_real, each_fake in ((real, fake), (torch.zeros_like(real[:1]), torch.zeros_like(fake[:1])))
    )
    return now[0] / at_first[0], now[1] / at_first[1]


def _pulls(probe: ProbeContext, real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
    """Mean size of the derivative by each logit (n,), as it would be for this image alone."""
    with torch.enable_grad():
        real, fake = real.detach().requires_grad_(), fake.detach().requires_grad_()
        losses = (probe.loss.discriminator(real, fake), probe.loss.generator(real.detach(), fake))
        by_real, by_fake = torch.autograd.grad(losses[0], (real, fake))
        (by_generated,) = torch.autograd.grad(losses[1], fake)
    # Losses are means over the batch: the sum of sizes is the mean of each image's own.
    return by_real.abs().sum() + by_fake.abs().sum(), by_generated.abs().sum()


def _rhythm(course: Tensor) -> tuple[Tensor, Tensor]:
    """Strength and period of the strongest frequency of a course (T,)."""
    num = len(course)
    times = torch.linspace(-1, 1, num, device=course.device)
    level = course - course.mean()
    level = level - times * (level @ times) / (times @ times)
    # Neither the mean nor, with an even number of steps, the alternation, which has half the freedom.
    power = rfft(level).abs().square()[1 : (num + 1) // 2]
    heard = power[LEAST_PERIODS - 1 :]
    # Shares of white noise are spacings of a random division: the largest of K among M is H_K / M on average.
    usual = sum(1 / rank for rank in range(1, len(heard) + 1)) / len(power)
    share = heard.max() / power.sum().clamp_min(torch.finfo(power.dtype).tiny)
    return share / usual, num / (heard.argmax() + LEAST_PERIODS).float()
