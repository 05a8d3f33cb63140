"""One update of both networks: the mathematics of a step and nothing else.

No logging, no devices, no files, no clocks. All randomness comes in, as tensors or as a generator.
"""

import functools
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.optim import Optimizer

from ganzfeld.losses import Loss
from ganzfeld.networks import Discriminator, Generator
from ganzfeld.stabilisers import Stabiliser

FLOOR = 1e-20
"""Takes the place of a logit gradient nearer to 0, by which is divided: far below Adam's epsilon."""


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
    """What is played by: loss, stabilisers, decay of the average, order of the updates, context of passes.

    ``simultaneous``: both networks are updated from the same two networks; otherwise D first, and G against
    the D just taught. ``apart``: D judges every picture for itself (it has no statistics across a batch).
    ``one_pass`` and ``shared_backward`` allow what then costs less and changes no result: real and generated
    pictures in one pass through D, and one backward pass through D for both networks. ``mean`` averages what
    several processes found, each on its share of the batch; alone there is nothing to average.
    """

    loss: Loss
    stabilisers: Sequence[Stabiliser]
    ema: float
    simultaneous: bool = False
    apart: bool = False
    one_pass: bool = True
    shared_backward: bool = True
    forward: Callable[[], AbstractContextManager[object]] = nullcontext
    mean: Callable[[Sequence[Tensor]], list[Tensor]] = list


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


Update = Callable[..., Outcome]
"""What updates both networks: ``take_turns``, ``play_together``, or a recording of one of them."""


def step(
    players: Players,
    rules: Rules,
    real: Tensor,
    latents: Tensor,
    moment: Moment,
    sound: Tensor,
    labels: Tensor | None = None,
    update: Update | None = None,
) -> Outcome:
    """Update both networks on one batch of real and one of generated pictures, then the moving average.

    ``real`` is (B, C, *size) in [-1, 1], ``latents`` (B, n). ``sound`` is a scalar, false once a loss or a
    gradient was not finite. From the update on that would have used that number, no weights change any more:
    whoever looks every hundred steps finds them as they were. ``labels`` (B,), if the networks know classes,
    are those of the real pictures, and of the generated ones at the same places. ``update`` takes the place
    of the update that the rules ask for, with the same arguments.
    """
    update = update or update_of(rules)
    outcome = update(players, rules, real, latents, moment, sound, labels)
    follow(players.average, players.generator, ema_decay(rules.ema, moment.index))
    return outcome


def update_of(rules: Rules) -> Update:
    """Return the update that rules ask for."""
    return play_together if rules.simultaneous else take_turns


def take_turns(
    players: Players,
    rules: Rules,
    real: Tensor,
    latents: Tensor,
    moment: Moment,
    sound: Tensor,
    labels: Tensor | None = None,
) -> Outcome:
    """Teach D, then G against the D just taught, on the same fakes (Goodfellow et al. 2014, algorithm 1)."""
    with rules.forward():
        fake = told(players.generator, labels)(latents)
    discriminator = players.discriminator
    with rules.forward():
        seen_real = as_seen(rules, real, moment)
        seen_fake = as_seen(rules, fake.detach(), moment)
        real_logits, fake_logits = judged(discriminator, rules, seen_real, seen_fake, labels)
        discriminator_loss = rules.loss.discriminator(real_logits, fake_logits)
    weights = list(discriminator.parameters())
    gradients = list(torch.autograd.grad(discriminator_loss, weights))
    add_penalties(gradients, players, rules, seen_real, seen_fake, moment, labels)
    sound = descend(players.discriminator_optimizer, rules, weights, gradients, discriminator_loss, sound)

    judge = told(discriminator, labels)
    with rules.forward():
        real_again = None
        if rules.loss.paired:
            with torch.no_grad():
                real_again = judge(as_seen(rules, real, moment))
        generator_loss = rules.loss.generator(real_again, judge(as_seen(rules, fake, moment)))
    weights = list(players.generator.parameters())
    # Asked for the gradients of G alone, autograd leaves out the weight gradients of D.
    gradients = list(torch.autograd.grad(generator_loss, weights))
    sound = descend(players.generator_optimizer, rules, weights, gradients, generator_loss, sound)
    return _outcome(generator_loss, discriminator_loss, real_logits, fake_logits, sound)


def play_together(
    players: Players,
    rules: Rules,
    real: Tensor,
    latents: Tensor,
    moment: Moment,
    sound: Tensor,
    labels: Tensor | None = None,
) -> Outcome:
    """Teach both from the same two networks; D sees each picture once.

    Both losses are functions of the same logits, so with D judging every picture for itself, the gradients
    that they send back through D to a generated picture differ by one factor a picture. One backward pass
    then gives D's weight gradients and, multiplied by that factor, G's gradient with respect to its
    pictures (Polizzi et al. 2020 call it FusedProp).
    """
    with rules.forward():
        fake = told(players.generator, labels)(latents)
    discriminator, leaf = players.discriminator, fake.detach().requires_grad_()
    with rules.forward():
        seen_real, seen_fake = as_seen(rules, real, moment), as_seen(rules, leaf, moment)
        real_logits, fake_logits = judged(discriminator, rules, seen_real, seen_fake, labels)
    at_real, at_fake = (logits.detach().requires_grad_() for logits in (real_logits, fake_logits))
    discriminator_loss = rules.loss.discriminator(at_real, at_fake)
    generator_loss = rules.loss.generator(at_real.detach(), at_fake)
    to_real, to_fake = torch.autograd.grad(discriminator_loss, (at_real, at_fake))
    (wished,) = torch.autograd.grad(generator_loss, at_fake)

    weights, logits = list(discriminator.parameters()), (real_logits, fake_logits)
    if rules.apart and rules.shared_backward:
        to_fake = torch.where(to_fake.abs() < FLOOR, FLOOR, to_fake)
        *gradients, to_pictures = torch.autograd.grad(logits, [*weights, leaf], (to_real, to_fake))
        to_pictures = to_pictures * (wished / to_fake).view(-1, *[1] * (fake.dim() - 1))
    else:
        (to_pictures,) = torch.autograd.grad(fake_logits, leaf, wished, retain_graph=True)
        gradients = list(torch.autograd.grad(logits, weights, (to_real, to_fake)))
    seen_real, seen_fake = seen_real.detach(), seen_fake.detach()
    add_penalties(gradients, players, rules, seen_real, seen_fake, moment, labels)
    of_generator = list(players.generator.parameters())
    generator_gradients = list(torch.autograd.grad(fake, of_generator, to_pictures))
    sound = descend(players.discriminator_optimizer, rules, weights, gradients, discriminator_loss, sound)
    sound = descend(
        players.generator_optimizer, rules, of_generator, generator_gradients, generator_loss, sound
    )
    return _outcome(generator_loss, discriminator_loss, real_logits, fake_logits, sound)


def told(network: Discriminator | Generator, labels: Tensor | None) -> Callable[[Tensor], Tensor]:
    """A network that has been told the classes (B,) of its batch; where there are none, as it is."""
    return network if labels is None else functools.partial(network, labels=labels)


def judged(
    discriminator: Discriminator, rules: Rules, real: Tensor, fake: Tensor, labels: Tensor | None
) -> tuple[Tensor, Tensor]:
    """The logits (B,) of real and of generated pictures.

    In one pass where D judges every picture for itself; otherwise in two, so that batch norm mixes nothing.
    """
    if rules.apart and rules.one_pass:
        both = None if labels is None else labels.repeat(2)
        real_logits, fake_logits = told(discriminator, both)(torch.cat((real, fake))).chunk(2)
        return real_logits, fake_logits
    judge = told(discriminator, labels)
    return judge(real), judge(fake)


def add_penalties(
    gradients: list[Tensor],
    players: Players,
    rules: Rules,
    real: Tensor,
    fake: Tensor,
    moment: Moment,
    labels: Tensor | None,
) -> None:
    """Add the gradients of all penalties that are due to D's weight gradients."""
    judge = told(players.discriminator, labels)
    with rules.forward():
        penalties = [
            penalty
            for stabiliser in rules.stabilisers
            if (penalty := stabiliser.penalty(judge, real, fake, moment.index, moment.noise)) is not None
        ]
    if penalties:
        weights = list(players.discriminator.parameters())
        # A bias of the last layer moves no gradient of the logit, so penalties do not depend on it.
        more = torch.autograd.grad(torch.stack(penalties).sum(), weights, allow_unused=True)
        for place, gradient in enumerate(more):
            if gradient is not None:
                gradients[place] = gradients[place] + gradient


def descend(
    optimizer: Optimizer,
    rules: Rules,
    weights: Sequence[Tensor],
    gradients: list[Tensor],
    loss: Tensor,
    sound: Tensor,
) -> Tensor:
    """Update weights down their mean gradients, unless something is not finite; returns ``sound``."""
    *gradients, loss = rules.mean([*gradients, loss.detach()])
    for weight, gradient in zip(weights, gradients, strict=True):
        # Fused optimizers walk through memory, and take for granted that both are laid out alike.
        alike = gradient.stride() == weight.stride()
        weight.grad = gradient if alike else torch.empty_like(weight).copy_(gradient)
    # What is not finite makes a sum not finite, and nothing is cheaper than a sum.
    sums = torch.stack([gradient.sum() for gradient in gradients])
    sound = sound & torch.isfinite(loss + sums.sum())
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


def _outcome(
    generator_loss: Tensor,
    discriminator_loss: Tensor,
    real_logits: Tensor,
    fake_logits: Tensor,
    sound: Tensor,
) -> Outcome:
    return Outcome(
        generator_loss.detach(),
        discriminator_loss.detach(),
        real_logits.detach(),
        fake_logits.detach(),
        sound,
    )
