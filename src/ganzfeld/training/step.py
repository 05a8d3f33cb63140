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
class GANState:
    """The two networks, their optimizers, and the moving average of the generator that becomes the model."""

    generator: Generator
    discriminator: Discriminator
    generator_optimizer: Optimizer
    discriminator_optimizer: Optimizer
    generator_ema: Generator


@dataclass(frozen=True)
class StepConfig:
    """What is played by: loss, stabilisers, decay of the average, order of the updates, context of passes.

    ``simultaneous``: both networks are updated from the same two networks; otherwise D first, and G against
    the D just taught. ``apart``: D judges every image for itself (it has no statistics across a batch).
    ``one_pass`` and ``shared_backward`` allow what then costs less and changes no result: real and generated
    images in one pass through D, and one backward pass through D for both networks. ``mean`` averages what
    several processes found, each on its share of the batch; alone there is nothing to average.
    """

    loss: Loss
    stabilisers: Sequence[Stabiliser]
    ema: float
    simultaneous: bool = False
    per_sample: bool = False
    one_pass: bool = True
    shared_backward: bool = True
    forward: Callable[[], AbstractContextManager[object]] = nullcontext
    mean: Callable[[Sequence[Tensor]], list[Tensor]] = list


@dataclass(frozen=True)
class StepContext:
    """When a step happens: its index from 0, the share of the run behind it, the randomness it may use."""

    index: int
    progress: float
    noise: torch.Generator


@dataclass(frozen=True)
class StepOutput:
    """What a step showed, detached, still on the device: two scalars, and the logits (B,) D was taught on.

    ``all_finite`` is the scalar that ``step`` was given, or false if a number of this step is not finite.
    """

    generator_loss: Tensor
    discriminator_loss: Tensor
    real_logits: Tensor
    fake_logits: Tensor
    all_finite: Tensor


Update = Callable[..., StepOutput]
"""What updates both networks: ``alternating_update``, ``simultaneous_update``, or a recording of one."""


def step(
    gan: GANState,
    config: StepConfig,
    real: Tensor,
    latents: Tensor,
    context: StepContext,
    all_finite: Tensor,
    labels: Tensor | None = None,
    update: Update | None = None,
) -> StepOutput:
    """Update both networks on one batch of real and one of generated images, then the moving average.

    ``real`` is (B, C, *size) in [-1, 1], ``latents`` (B, n). ``all_finite`` is a scalar, false once a loss or
    a gradient was not finite. From the update on that would have used that number, no weights change any
    more: whoever looks every hundred steps finds them as they were. ``labels`` (B,), if the networks know
    classes, are those of the real images, and of the generated ones at the same places. ``update`` takes
    the place of the update that the rules ask for, with the same arguments.
    """
    update = update or update_of(config)
    outcome = update(gan, config, real, latents, context, all_finite, labels)
    update_ema(gan.generator_ema, gan.generator, ema_decay(config.ema, context.index))
    return outcome


def update_of(config: StepConfig) -> Update:
    """Return the update that rules ask for."""
    return simultaneous_update if config.simultaneous else alternating_update


def alternating_update(
    gan: GANState,
    config: StepConfig,
    real: Tensor,
    latents: Tensor,
    context: StepContext,
    all_finite: Tensor,
    labels: Tensor | None = None,
) -> StepOutput:
    """Teach D, then G against the D just taught, on the same fakes (Goodfellow et al. 2014, algorithm 1)."""
    with config.forward():
        fake = bind_labels(gan.generator, labels)(latents)
    discriminator = gan.discriminator
    with config.forward():
        seen_real = apply_transforms(config, real, context)
        seen_fake = apply_transforms(config, fake.detach(), context)
        real_logits, fake_logits = discriminator_logits(discriminator, config, seen_real, seen_fake, labels)
        discriminator_loss = config.loss.discriminator(real_logits, fake_logits)
    weights = list(discriminator.parameters())
    gradients = list(torch.autograd.grad(discriminator_loss, weights))
    add_penalties(gradients, gan, config, seen_real, seen_fake, context, labels)
    all_finite = apply_gradients(
        gan.discriminator_optimizer, config, weights, gradients, discriminator_loss, all_finite
    )

    judge = bind_labels(discriminator, labels)
    with config.forward():
        real_again = None
        if config.loss.paired:
            with torch.no_grad():
                real_again = judge(apply_transforms(config, real, context))
        generator_loss = config.loss.generator(real_again, judge(apply_transforms(config, fake, context)))
    weights = list(gan.generator.parameters())
    # Asked for the gradients of G alone, autograd leaves out the weight gradients of D.
    gradients = list(torch.autograd.grad(generator_loss, weights))
    all_finite = apply_gradients(
        gan.generator_optimizer, config, weights, gradients, generator_loss, all_finite
    )
    return _outcome(generator_loss, discriminator_loss, real_logits, fake_logits, all_finite)


def simultaneous_update(
    gan: GANState,
    config: StepConfig,
    real: Tensor,
    latents: Tensor,
    context: StepContext,
    all_finite: Tensor,
    labels: Tensor | None = None,
) -> StepOutput:
    """Teach both from the same two networks; D sees each image once.

    Both losses are functions of the same logits, so with D judging every image for itself, the gradients
    that they send back through D to a generated image differ by one factor an image. One backward pass
    then gives D's weight gradients and, multiplied by that factor, G's gradient with respect to its
    images (Polizzi et al. 2020 call it FusedProp).
    """
    with config.forward():
        fake = bind_labels(gan.generator, labels)(latents)
    discriminator, leaf = gan.discriminator, fake.detach().requires_grad_()
    with config.forward():
        seen_real = apply_transforms(config, real, context)
        seen_fake = apply_transforms(config, leaf, context)
        real_logits, fake_logits = discriminator_logits(discriminator, config, seen_real, seen_fake, labels)
    at_real, at_fake = (logits.detach().requires_grad_() for logits in (real_logits, fake_logits))
    discriminator_loss = config.loss.discriminator(at_real, at_fake)
    generator_loss = config.loss.generator(at_real.detach(), at_fake)
    to_real, to_fake = torch.autograd.grad(discriminator_loss, (at_real, at_fake))
    (wished,) = torch.autograd.grad(generator_loss, at_fake)

    weights, logits = list(discriminator.parameters()), (real_logits, fake_logits)
    if config.per_sample and config.shared_backward:
        to_fake = torch.where(to_fake.abs() < FLOOR, FLOOR, to_fake)
        *gradients, to_images = torch.autograd.grad(logits, [*weights, leaf], (to_real, to_fake))
        to_images = to_images * (wished / to_fake).view(-1, *[1] * (fake.dim() - 1))
    else:
        (to_images,) = torch.autograd.grad(fake_logits, leaf, wished, retain_graph=True)
        gradients = list(torch.autograd.grad(logits, weights, (to_real, to_fake)))
    seen_real, seen_fake = seen_real.detach(), seen_fake.detach()
    add_penalties(gradients, gan, config, seen_real, seen_fake, context, labels)
    of_generator = list(gan.generator.parameters())
    generator_gradients = list(torch.autograd.grad(fake, of_generator, to_images))
    all_finite = apply_gradients(
        gan.discriminator_optimizer, config, weights, gradients, discriminator_loss, all_finite
    )
    all_finite = apply_gradients(
        gan.generator_optimizer, config, of_generator, generator_gradients, generator_loss, all_finite
    )
    return _outcome(generator_loss, discriminator_loss, real_logits, fake_logits, all_finite)


def bind_labels(network: Discriminator | Generator, labels: Tensor | None) -> Callable[[Tensor], Tensor]:
    """A network that has been told the classes (B,) of its batch; where there are none, as it is."""
    return network if labels is None else functools.partial(network, labels=labels)


def discriminator_logits(
    discriminator: Discriminator, config: StepConfig, real: Tensor, fake: Tensor, labels: Tensor | None
) -> tuple[Tensor, Tensor]:
    """The logits (B,) of real and of generated images.

    In one pass where D judges every image for itself; otherwise in two, so that batch norm mixes nothing.
    """
    if config.per_sample and config.one_pass:
        both = None if labels is None else labels.repeat(2)
        real_logits, fake_logits = bind_labels(discriminator, both)(torch.cat((real, fake))).chunk(2)
        return real_logits, fake_logits
    judge = bind_labels(discriminator, labels)
    return judge(real), judge(fake)


def add_penalties(
    gradients: list[Tensor],
    gan: GANState,
    config: StepConfig,
    real: Tensor,
    fake: Tensor,
    context: StepContext,
    labels: Tensor | None,
) -> None:
    """Add the gradients of all penalties that are due to D's weight gradients."""
    judge = bind_labels(gan.discriminator, labels)
    with config.forward():
        penalties = [
            penalty
            for stabiliser in config.stabilisers
            if (penalty := stabiliser.penalty(judge, real, fake, context.index, context.noise)) is not None
        ]
    if penalties:
        weights = list(gan.discriminator.parameters())
        # A bias of the last layer moves no gradient of the logit, so penalties do not depend on it.
        more = torch.autograd.grad(torch.stack(penalties).sum(), weights, allow_unused=True)
        for place, gradient in enumerate(more):
            if gradient is not None:
                gradients[place] = gradients[place] + gradient


def apply_gradients(
    optimizer: Optimizer,
    config: StepConfig,
    weights: Sequence[Tensor],
    gradients: list[Tensor],
    loss: Tensor,
    all_finite: Tensor,
) -> Tensor:
    """Update weights down their mean gradients, unless something is not finite; returns ``all_finite``."""
    *gradients, loss = config.mean([*gradients, loss.detach()])
    for weight, gradient in zip(weights, gradients, strict=True):
        # Fused optimizers walk through memory, and take for granted that both are laid out alike.
        alike = gradient.stride() == weight.stride()
        weight.grad = gradient if alike else torch.empty_like(weight).copy_(gradient)
    # What is not finite makes a sum not finite, and nothing is cheaper than a sum.
    sums = torch.stack([gradient.sum() for gradient in gradients])
    all_finite = all_finite & torch.isfinite(loss + sums.sum())
    # The fused optimizer reads this on the device and does nothing where it is 1: no synchronisation.
    optimizer.found_inf = (~all_finite).float()  # pyright: ignore[reportAttributeAccessIssue]
    optimizer.step()
    return all_finite


def apply_transforms(config: StepConfig, images: Tensor, context: StepContext) -> Tensor:
    """Images as the discriminator sees them, through all stabilisers that change them."""
    for stabiliser in config.stabilisers:
        images = stabiliser.transform(images, context.progress, context.noise)
    return images


def ema_decay(ema: float, index: int) -> float:
    """The decay of the average at a step: shorter at first, to forget the initial weights soon."""
    return min(ema, (1 + index) / (10 + index))


@torch.no_grad()
def update_ema(generator_ema: Generator, generator: Generator, decay: float) -> None:
    """Move the average towards the generator: average = decay average + (1 - decay) generator.

    Buffers too; those that count in whole numbers are copied.
    """
    pairs = list(zip(generator_ema.state_dict().values(), generator.state_dict().values(), strict=True))
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
    all_finite: Tensor,
) -> StepOutput:
    return StepOutput(
        generator_loss.detach(),
        discriminator_loss.detach(),
        real_logits.detach(),
        fake_logits.detach(),
        all_finite,
    )
