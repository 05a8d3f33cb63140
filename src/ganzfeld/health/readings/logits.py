"""Logits of the last steps: how well they separate images, and whether they saturate or oscillate.

The readings use logits (T, B) that the steps have computed anyway.
"""

import torch
from torch import Tensor
from torch.fft import rfft

from ganzfeld.health.probe import ProbeContext
from ganzfeld.losses import Loss

PASSES = False

NAMES = {
    "logit_real_std": "Standard deviation of the logits of real images over the last 64 steps; 0 or more.",
    "logit_fake_std": "The same for generated images.",
    "separation": "Probability that a real image has a higher logit than a generated one of the same step"
    " (the area under the ROC curve, ties count half): 0.5 is chance, 1 separates all pairs, below 0.5 is"
    " worse than chance.",
    "overlap": "1 less the largest gap between the distribution functions of the logits of real and of"
    " generated images (Kolmogorov-Smirnov), after subtracting the mean of each step: 1 the same"
    " distribution, 0 no overlap.",
    "lesson_discriminator": "Mean absolute gradient of the discriminator's loss with respect to its logits,"
    " over the same with all logits 0: 1 at the start, near 0 where nothing is left to learn.",
    "lesson_generator": "The same for the generator's loss and the logits of generated images: near 0 the"
    " generator gets no gradient.",
    "logit_size": "Largest absolute logit of the last 64 steps; 0 or more.",
    "rhythm": "Share of the power at the strongest frequency in the difference of the mean logits of real and"
    " generated images, over the share that white noise shows on average. Its linear trend is removed first,"
    " and only frequencies with at least three periods in the window count. 1 is noise; a pure tone in 64"
    " steps is 7.8.",
    "rhythm_period": "Period of that frequency, in steps: from 2 to a third of the window.",
}

LEAST_STEPS = 16
"""Fewest steps from which a rhythm is read."""

LEAST_PERIODS = 3


def read(probe: ProbeContext) -> dict[str, Tensor]:
    """Return all readings; no rhythm below 16 steps, no lessons without a known loss, none just resumed."""
    if probe.just_resumed:
        return {}
    real, fake = probe.real_logits.float(), probe.fake_logits.float()
    lessons = {} if probe.loss is None else _lessons(probe.loss, real, fake)
    result = {
        "logit_real_std": real.std(correction=0),
        "logit_fake_std": fake.std(correction=0),
        "separation": _separation(real, fake),
        "overlap": _overlap(real, fake),
        **lessons,
        "logit_size": torch.maximum(real.abs().max(), fake.abs().max()),
    }
    if len(real) >= LEAST_STEPS:
        result["rhythm"], result["rhythm_period"] = _rhythm(real.mean(1) - fake.mean(1))
    return result


def _separation(real: Tensor, fake: Tensor) -> Tensor:
    """Compute the Mann-Whitney statistic within each step, which ignores a common shift of all logits."""
    ranked = fake.sort(1).values
    below = torch.searchsorted(ranked, real.contiguous())
    not_above = torch.searchsorted(ranked, real.contiguous(), right=True)
    return (below + not_above).float().mean() / (2 * fake.shape[1])


def _overlap(real: Tensor, fake: Tensor) -> Tensor:
    centres = (real.mean(1, keepdim=True) + fake.mean(1, keepdim=True)) / 2
    real, fake = ((logits - centres).flatten().sort().values for logits in (real, fake))
    places = torch.cat((real, fake))
    shares = [torch.searchsorted(logits, places, right=True) / logits.numel() for logits in (real, fake)]
    return 1 - (shares[0] - shares[1]).abs().max()


def _lessons(loss: Loss, real: Tensor, fake: Tensor) -> dict[str, Tensor]:
    at_zero = _gradient_sizes(loss, torch.zeros_like(real[0]), torch.zeros_like(fake[0]))
    now = _gradient_sizes(loss, real.flatten(), fake.flatten())
    return {"lesson_discriminator": now[0] / at_zero[0], "lesson_generator": now[1] / at_zero[1]}


def _gradient_sizes(loss: Loss, real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
    """Return the mean absolute gradient of each network's loss with respect to its logits (n,)."""
    with torch.enable_grad():
        real, fake = real.detach().requires_grad_(), fake.detach().requires_grad_()
        losses = (loss.discriminator(real, fake), loss.generator(real.detach(), fake))
        by_real, by_fake = torch.autograd.grad(losses[0], (real, fake))
        (by_generated,) = torch.autograd.grad(losses[1], fake)
    # Losses are means over the batch, so the sum is the mean of the gradients of single images.
    return by_real.abs().sum() + by_fake.abs().sum(), by_generated.abs().sum()


def _rhythm(course: Tensor) -> tuple[Tensor, Tensor]:
    """Return power (over that of white noise) and period of the strongest frequency of ``course`` (T,)."""
    num = len(course)
    times = torch.linspace(-1, 1, num, device=course.device)
    level = course - course.mean()
    level = level - times * (level @ times) / (times @ times)
    # Leave out the mean and, of an even number of steps, the highest frequency: it has one degree of freedom.
    power = rfft(level).abs().square()[1 : (num + 1) // 2]
    candidates = power[LEAST_PERIODS - 1 :]
    # Shares of white noise are spacings of a random division: the largest of K among M averages H_K / M.
    expected = sum(1 / rank for rank in range(1, len(candidates) + 1)) / len(power)
    share = candidates.max() / power.sum().clamp_min(torch.finfo(power.dtype).tiny)
    return share / expected, num / (candidates.argmax() + LEAST_PERIODS).float()
