"""One update of both networks: the mathematics of a step and nothing else.

No logging, no devices, no files, no clocks. All randomness comes in, as tensors or as a generator.
"""

import functools
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.optim import Optimizer

from ganzfeld.losses import Loss
from ganzfeld.networks import Discriminator, Generator
from ganzfeld.stabilisers import GradientPenalty, Stabiliser

FLOOR = 1e-20
"""Least absolute logit gradient, since the code divides by it: far below Adam's epsilon."""


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
    """The configuration of a step: loss, stabilisers, decay of the moving average, order of the updates.

    - ``simultaneous``: both networks are updated from the same two networks; otherwise D is updated first,
      and then G against the updated D;
    - ``discriminator_steps``: the number of updates of D per update of G;
    - ``per_sample``: D computes the logit of every image independently (no statistics across the batch);
    - ``one_pass``, ``shared_backward`` and ``shared_penalties`` allow three savings that are then possible
      and change no result: real and generated images in one pass through D, one backward pass through D for
      both networks, and penalties at these images from the pass that the loss needs anyway;
    - ``forward`` makes the context manager of forward passes;
    - ``mean`` averages tensors over several processes, each with its share of the batch; the identity for one
      process.
    """

    loss: Loss
    stabilisers: Sequence[Stabiliser]
    ema: float
    simultaneous: bool = False
    discriminator_steps: int = 1
    per_sample: bool = False
    one_pass: bool = True
    shared_backward: bool = True
    shared_penalties: bool = True
    forward: Callable[[], AbstractContextManager[object]] = nullcontext
    mean: Callable[[Sequence[Tensor]], list[Tensor]] = list

    def updates_generator(self, index: int) -> bool:
        """Check whether the step of that index updates G, as every ``discriminator_steps``-th does."""
        return (index + 1) % self.discriminator_steps == 0

    def penalties_from_loss_pass(self, index: int) -> list[GradientPenalty]:
        """Return the penalties of a step that can be computed from the pass through D that its loss needs."""
        if not (self.shared_penalties and self.per_sample and self.one_pass):
            return []
        due = [stabiliser for stabiliser in self.stabilisers if stabiliser.due(index)]
        return [penalty for penalty in due if isinstance(penalty, GradientPenalty) and penalty.AT]


@dataclass(frozen=True)
class StepContext:
    """The context of a step: its index from 0, the share of the run that is done, its random generator."""

    index: int
    progress: float
    noise: torch.Generator


@dataclass(frozen=True)
class StepOutput:
    """The output of a step, detached, on the device: two scalar losses, and the logits (B,) of D's update.

    ``all_finite`` is the scalar that was passed to ``step``, or false if a number of this step is not finite.
    """

    generator_loss: Tensor
    discriminator_loss: Tensor
    real_logits: Tensor
    fake_logits: Tensor
    all_finite: Tensor


Update = Callable[..., StepOutput]
"""A function that updates both networks: ``alternating_update``, ``simultaneous_update``, or a recording."""


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

    ``real`` is (B, C, *size) in [-1, 1], ``latents`` is (B, n). ``all_finite`` is a scalar, false once a loss
    or a gradient was not finite. From the update that would have used that number, the weights do not change
    any more: even a check every hundred steps finds them as they were before. ``labels`` (B,), for networks
    conditional on classes, are those of the real images and also of the generated images at the same places.
    ``update`` replaces the update that ``config`` specifies; it takes the same arguments.
    """
    update = update or update_of(config)
    output = update(gan, config, real, latents, context, all_finite, labels)
    if config.updates_generator(context.index):
        decay = ema_decay(config.ema, context.index // config.discriminator_steps)
        update_ema(gan.generator_ema, gan.generator, decay)
    return output


def update_of(config: StepConfig) -> Update:
    """Return the update that a configuration specifies."""
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
    """Update D, then G against the updated D, on the same generated images, as most DCGAN code does.

    Algorithm 1 of Goodfellow et al. 2014 draws new latent vectors for G, which costs one more pass through G.
    At a step that does not update G its loss is that of the logits D was updated on.
    """
    updates_generator = config.updates_generator(context.index)
    with config.forward(), torch.set_grad_enabled(updates_generator):
        fake = bind_labels(gan.generator, labels)(latents)
    discriminator = gan.discriminator
    shared = config.penalties_from_loss_pass(context.index)
    with config.forward():
        seen_real = apply_transforms(config, real, context).detach().requires_grad_(bool(shared))
        seen_fake = apply_transforms(config, fake.detach(), context).detach().requires_grad_(bool(shared))
        real_logits, fake_logits = discriminator_logits(discriminator, config, seen_real, seen_fake, labels)
        discriminator_loss = config.loss.discriminator(real_logits, fake_logits)
        objective = discriminator_loss
        if shared:
            points = {"real": seen_real, "fake": seen_fake}
            objective = objective + sum_of_penalties(shared, torch.cat((real_logits, fake_logits)), points)
    weights = list(discriminator.parameters())
    gradients = list(torch.autograd.grad(objective, weights))
    add_penalties(gradients, gan, config, seen_real, seen_fake, context, labels, except_for=shared)
    all_finite = apply_gradients(
        gan.discriminator_optimizer, config, weights, gradients, discriminator_loss, all_finite
    )

    if not updates_generator:
        with torch.no_grad():
            generator_loss = config.loss.generator(real_logits, fake_logits)
        return _detached_output(generator_loss, discriminator_loss, real_logits, fake_logits, all_finite)

    logits_of = bind_labels(discriminator, labels)
    with config.forward():
        new_real_logits = None
        if config.loss.paired:
            with torch.no_grad():
                new_real_logits = logits_of(apply_transforms(config, real, context))
        new_fake_logits = logits_of(apply_transforms(config, fake, context))
        generator_loss = config.loss.generator(new_real_logits, new_fake_logits)
    weights = list(gan.generator.parameters())
    # Only the gradients of G are requested, so autograd skips the weight gradients of D.
    gradients = list(torch.autograd.grad(generator_loss, weights))
    all_finite = apply_gradients(
        gan.generator_optimizer, config, weights, gradients, generator_loss, all_finite
    )
    return _detached_output(generator_loss, discriminator_loss, real_logits, fake_logits, all_finite)


def simultaneous_update(
    gan: GANState,
    config: StepConfig,
    real: Tensor,
    latents: Tensor,
    context: StepContext,
    all_finite: Tensor,
    labels: Tensor | None = None,
) -> StepOutput:
    """Update both networks from the same two networks; D sees each image once.

    Both losses are functions of the same logits. If the logit of each image depends on that image alone, the
    gradients that the two losses send back through D to a generated image differ by one factor per image. One
    backward pass then gives D's weight gradients and, multiplied by that factor, G's gradient with respect to
    its images (Polizzi et al. 2020 call this FusedProp).
    """
    if not config.updates_generator(context.index):
        return alternating_update(gan, config, real, latents, context, all_finite, labels)
    with config.forward():
        fake = bind_labels(gan.generator, labels)(latents)
    discriminator, leaf = gan.discriminator, fake.detach().requires_grad_()
    with config.forward():
        seen_real = apply_transforms(config, real, context)
        seen_fake = apply_transforms(config, leaf, context)
        real_logits, fake_logits = discriminator_logits(discriminator, config, seen_real, seen_fake, labels)
    real_leaf, fake_leaf = (logits.detach().requires_grad_() for logits in (real_logits, fake_logits))
    discriminator_loss = config.loss.discriminator(real_leaf, fake_leaf)
    generator_loss = config.loss.generator(real_leaf.detach(), fake_leaf)
    # Gradients of the losses with respect to the logits.
    d_real, d_fake = torch.autograd.grad(discriminator_loss, (real_leaf, fake_leaf))
    (g_fake,) = torch.autograd.grad(generator_loss, fake_leaf)

    weights, logits = list(discriminator.parameters()), (real_logits, fake_logits)
    if config.per_sample and config.shared_backward:
        d_fake = torch.where(d_fake.abs() < FLOOR, FLOOR, d_fake)
        *gradients, image_gradients = torch.autograd.grad(logits, [*weights, leaf], (d_real, d_fake))
        image_gradients = image_gradients * (g_fake / d_fake).view(-1, *[1] * (fake.dim() - 1))
    else:
        (image_gradients,) = torch.autograd.grad(fake_logits, leaf, g_fake, retain_graph=True)
        gradients = list(torch.autograd.grad(logits, weights, (d_real, d_fake)))
    seen_real, seen_fake = seen_real.detach(), seen_fake.detach()
    add_penalties(gradients, gan, config, seen_real, seen_fake, context, labels)
    generator_weights = list(gan.generator.parameters())
    generator_gradients = list(torch.autograd.grad(fake, generator_weights, image_gradients))
    all_finite = apply_gradients(
        gan.discriminator_optimizer, config, weights, gradients, discriminator_loss, all_finite
    )
    all_finite = apply_gradients(
        gan.generator_optimizer, config, generator_weights, generator_gradients, generator_loss, all_finite
    )
    return _detached_output(generator_loss, discriminator_loss, real_logits, fake_logits, all_finite)


def bind_labels(network: Discriminator | Generator, labels: Tensor | None) -> Callable[[Tensor], Tensor]:
    """Return the network with the labels (B,) of its batch bound; without labels, the network itself."""
    return network if labels is None else functools.partial(network, labels=labels)


def discriminator_logits(
    discriminator: Discriminator, config: StepConfig, real: Tensor, fake: Tensor, labels: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Compute the logits (B,) of real and of generated images.

    One pass is made where the logit of each image depends on that image alone; otherwise two, so that batch
    norm does not mix real and generated images.
    """
    if config.per_sample and config.one_pass:
        both = None if labels is None else labels.repeat(2)
        real_logits, fake_logits = bind_labels(discriminator, both)(torch.cat((real, fake))).chunk(2)
        return real_logits, fake_logits
    logits_of = bind_labels(discriminator, labels)
    return logits_of(real), logits_of(fake)


def sum_of_penalties(
    penalties: Sequence[GradientPenalty], logits: Tensor, points: Mapping[str, Tensor]
) -> Tensor:
    """Return the sum of penalties at the images that gave these logits, differentiable in D's weights.

    ``points`` are the images that ``GradientPenalty.AT`` names.
    """
    names = {str(penalty.AT) for penalty in penalties}
    images = {name: tensor for name, tensor in points.items() if name in names}
    found = torch.autograd.grad(logits.sum(), list(images.values()), create_graph=True)
    gradients = dict(zip(images, found, strict=True))
    return torch.stack([penalty.of_gradient(gradients[str(penalty.AT)]) for penalty in penalties]).sum()


def add_penalties(
    gradients: list[Tensor],
    gan: GANState,
    config: StepConfig,
    real: Tensor,
    fake: Tensor,
    context: StepContext,
    labels: Tensor | None,
    except_for: Sequence[Stabiliser] = (),
) -> None:
    """Add the gradients of the other penalties that are due to ``gradients``, the weight gradients of D."""
    logits_of = bind_labels(gan.discriminator, labels)
    with config.forward():
        penalties = [
            penalty
            for stabiliser in config.stabilisers
            if not any(stabiliser is other for other in except_for)
            and (penalty := stabiliser.penalty(logits_of, real, fake, context.index, context.noise))
            is not None
        ]
    if penalties:
        weights = list(gan.discriminator.parameters())
        # The bias of the last layer changes no gradient of the logit, so penalties do not depend on it.
        added = torch.autograd.grad(torch.stack(penalties).sum(), weights, allow_unused=True)
        for index, gradient in enumerate(added):
            if gradient is not None:
                gradients[index] = gradients[index] + gradient


def apply_gradients(
    optimizer: Optimizer,
    config: StepConfig,
    weights: Sequence[Tensor],
    gradients: list[Tensor],
    loss: Tensor,
    all_finite: Tensor,
) -> Tensor:
    """Apply the mean gradients to the weights if everything is finite; return the new ``all_finite``."""
    *gradients, loss = config.mean([*gradients, loss.detach()])
    for weight, gradient in zip(weights, gradients, strict=True):
        # Fused optimizers walk through memory and assume that both have the same layout.
        same_layout = gradient.stride() == weight.stride()
        weight.grad = gradient if same_layout else torch.empty_like(weight).copy_(gradient)
    # One number that is not finite makes a sum not finite, and nothing is cheaper than a sum.
    sums = torch.stack([gradient.sum() for gradient in gradients])
    all_finite = all_finite & torch.isfinite(loss + sums.sum())
    # The fused optimizer reads this on the device and does nothing where it is 1: no synchronisation.
    optimizer.found_inf = (~all_finite).float()  # pyright: ignore[reportAttributeAccessIssue]
    optimizer.step()
    return all_finite


def apply_transforms(config: StepConfig, images: Tensor, context: StepContext) -> Tensor:
    """Apply the transforms of all stabilisers to images, before the discriminator sees them."""
    for stabiliser in config.stabilisers:
        images = stabiliser.transform(images, context.progress, context.noise)
    return images


def ema_decay(ema: float, index: int) -> float:
    """Return the decay of the moving average at a step: smaller at first, to forget the initial weights."""
    return min(ema, (1 + index) / (10 + index))


@torch.no_grad()
def update_ema(generator_ema: Generator, generator: Generator, decay: float) -> None:
    """Move the average towards the generator: average = decay * average + (1 - decay) * generator.

    Buffers are averaged too; integer buffers are copied.
    """
    pairs = list(zip(generator_ema.state_dict().values(), generator.state_dict().values(), strict=True))
    real = [pair for pair in pairs if pair[0].is_floating_point()]
    torch._foreach_lerp_(  # pyright: ignore[reportPrivateImportUsage]
        [mean for mean, _ in real], [now for _, now in real], 1 - decay
    )
    for mean, now in pairs:
        if not mean.is_floating_point():
            mean.copy_(now)


def _detached_output(
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
