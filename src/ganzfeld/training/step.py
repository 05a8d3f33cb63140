"""One update of both networks: the mathematics of a step and nothing else.

No logging, no devices, no files, no clocks. All randomness comes in, as tensors or as a generator.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from ganzfeld.losses import Loss
from ganzfeld.networks import Discriminator, Generator
from ganzfeld.stabilisers import Stabiliser


@dataclass
class Players:
    """The two networks, their optimizers, and the moving average of the generator that becomes the model."""

    generator: Generator
    discriminator: Discriminator
    generator_optimizer: Optimizer
    discriminator_optimizer: Optimizer
    average: Generator


@dataclass(frozen=True)
class Rules:
    """What is played by: loss, stabilisers, decay of the average, context of forward passes."""

    loss: Loss
    stabilisers: Sequence[Stabiliser]
    ema: float
    forward: Callable[[], AbstractContextManager[object]] = nullcontext


@dataclass(frozen=True)
class Moment:
    """When a step happens: its index from 0, the share of the run behind it, the randomness it may use."""

    index: int
    progress: float
    noise: torch.Generator


@dataclass(frozen=True)
class Outcome:
    """What a step showed, detached, still on the device: two scalars, and the logits (B,) D was taught on.

    ``sound`` is the scalar that ``step`` was given, or false if a number of this step is not finite.
    """

    generator_loss: Tensor
    discriminator_loss: Tensor
    real_logits: Tensor
    fake_logits: Tensor
    sound: Tensor


def step(
    players: Players, rules: Rules, real: Tensor, latents: Tensor, moment: Moment, sound: Tensor
) -> Outcome:
    """Teach the discriminator, then the generator against the discriminator just taught, on the same fakes.

    ``real`` is (B, C, *size) in [-1, 1], ``latents`` (B, n). The order is that of
    Goodfellow et al. 2014, algorithm 1, with one discriminator step a round.

    ``sound`` is a scalar, false once a loss or a gradient was not finite. From the update on that would have
    used that number, no weights change any more: whoever looks every hundred steps finds them as they were.
    """
    with rules.forward():
        fake = players.generator(latents)
    discriminator_loss, real_logits, fake_logits, sound = teach_discriminator(
        players, rules, real, fake, moment, sound
    )
    generator_loss, sound = teach_generator(players, rules, real, fake, moment, sound)
    follow(players.average, players.generator, ema_decay(rules.ema, moment.index))
    return Outcome(
        generator_loss.detach(),
        discriminator_loss.detach(),
        real_logits.detach(),
        fake_logits.detach(),
        sound,
    )


def teach_discriminator(
    players: Players, rules: Rules, real: Tensor, fake: Tensor, moment: Moment, sound: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """One step of D; returns its loss without penalties, the logits of real and fake, and ``sound``.

    Real and generated pictures go through in batches of their own, so that batch norm, where a recipe has it
    here, mixes nothing.
    """
    discriminator = players.discriminator
    with rules.forward():
        seen_real = as_seen(rules, real, moment)
        seen_fake = as_seen(rules, fake.detach(), moment)
        real_logits, fake_logits = discriminator(seen_real), discriminator(seen_fake)
        loss = rules.loss.discriminator(real_logits, fake_logits)
        total = loss
        for stabiliser in rules.stabilisers:
            penalty = stabiliser.penalty(discriminator, seen_real, seen_fake, moment.index, moment.noise)
            total = total if penalty is None else total + penalty
    sound = descend(players.discriminator, players.discriminator_optimizer, total, sound)
    return loss, real_logits, fake_logits, sound


def teach_generator(
    players: Players, rules: Rules, real: Tensor, fake: Tensor, moment: Moment, sound: Tensor
) -> tuple[Tensor, Tensor]:
    """One step of the generator through the pictures ``fake`` it has made; returns its loss and ``sound``."""
    discriminator = players.discriminator
    with rules.forward():
        real_logits = None
        if rules.loss.paired:
            with torch.no_grad():
                real_logits = discriminator(as_seen(rules, real, moment))
        loss = rules.loss.generator(real_logits, discriminator(as_seen(rules, fake, moment)))
    return loss, descend(players.generator, players.generator_optimizer, loss, sound)


def descend(network: nn.Module, optimizer: Optimizer, loss: Tensor, sound: Tensor) -> Tensor:
    """Update one network down the gradient of ``loss``, unless something is not finite; returns ``sound``."""
    # Asked for the gradients of one network alone, autograd leaves out the weight gradients of the other.
    parameters = list(network.parameters())
    gradients = torch.autograd.grad(loss, parameters)
    for parameter, gradient in zip(parameters, gradients, strict=True):
        # Fused optimizers walk through memory, and take for granted that both are laid out alike.
        alike = gradient.stride() == parameter.stride()
        parameter.grad = gradient if alike else torch.empty_like(parameter).copy_(gradient)
    largest = torch._foreach_norm(  # pyright: ignore[reportPrivateImportUsage]
        gradients, ord=torch.inf
    )
    sound = sound & torch.isfinite(loss.detach() + torch.stack(largest).sum())
    # The fused optimizer reads this on the device and does nothing where it is 1: no synchronisation.
    optimizer.found_inf = (~sound).float()  # pyright: ignore[reportAttributeAccessIssue]
    optimizer.step()
    return sound


def as_seen(rules: Rules, pictures: Tensor, moment: Moment) -> Tensor:
    """Pictures as the discriminator sees them, through all stabilisers that change them."""
    for stabiliser in rules.stabilisers:
        pictures = stabiliser.transform(pictures, moment.progress, moment.noise)
    return pictures


def ema_decay(ema: float, index: int) -> float:
    """The decay of the average at a step: shorter at first, to forget the initial weights soon."""
    return min(ema, (1 + index) / (10 + index))


@torch.no_grad()
def follow(average: Generator, generator: Generator, decay: float) -> None:
    """Move the average towards the generator: average = decay average + (1 - decay) generator.

    Buffers too; those that count in whole numbers are copied.
    """
    pairs = list(zip(average.state_dict().values(), generator.state_dict().values(), strict=True))
    real = [pair for pair in pairs if pair[0].is_floating_point()]
    torch._foreach_lerp_(  # pyright: ignore[reportPrivateImportUsage]
        [mean for mean, _ in real], [now for _, now in real], 1 - decay
    )
    for mean, now in pairs:
        if not mean.is_floating_point():
            mean.copy_(now)
