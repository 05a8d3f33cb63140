"""A game and its rounds."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from ganzfeld.compute.seeding import Purpose, noise_at
from ganzfeld.lab.game.methods import Method
from ganzfeld.stabilisers import GradientPenalty
from ganzfeld.training.step import (
    GANState,
    StepConfig,
    StepContext,
    apply_transforms,
    discriminator_logits,
    step,
)

Draw = Callable[[torch.Generator], tuple[Tensor, Tensor]]


@dataclass
class Game:
    """Two networks, the rules and method they are trained by, and the data.

    ``draw`` gives the real images and latents of a round from its randomness. ``num_rounds`` is the planned
    length of the game, over which stabilisers may fade. ``strength`` is that of the consensus term.
    """

    gan: GANState
    config: StepConfig
    method: Method
    draw: Draw
    seed: int = 0
    num_rounds: int = 1
    strength: float = 1.0
    index: int = 0
    all_finite: Tensor = field(default_factory=lambda: torch.tensor(True))

    def advance(self) -> None:
        """Play one round."""
        real, latents = self.draw(noise_at(self.seed, Purpose.LATENTS, self.index))
        if self.method.consensus:
            self._consensus_step(real, latents)
        else:
            for _ in range(self.method.looks):
                outcome = step(self.gan, self.config, real, latents, self.context(), self.all_finite)
                self.all_finite = outcome.all_finite
        self.index += 1

    def play(self, num_rounds: int) -> None:
        """Play ``num_rounds`` rounds."""
        for _ in range(num_rounds):
            self.advance()

    def context(self) -> StepContext:
        """Return the context of this round, with its randomness from the beginning."""
        progress = min(1.0, self.index / self.num_rounds)
        return StepContext(self.index, progress, noise_at(self.seed, Purpose.STABILISERS, self.index))

    def _consensus_step(self, real: Tensor, latents: Tensor) -> None:
        """Move both networks down their gradients and down half the squared length of all gradients.

        The trainer's step cannot do this: its gradients have no graph, and here they are differentiated.
        """
        gan = self.gan
        optimizers = (gan.generator_optimizer, gan.discriminator_optimizer)
        weights = weights_of(gan)
        gradients = gradients_of(gan, self.config, real, latents, self.context())
        decays = {
            weight: group["weight_decay"]
            for optimizer in optimizers
            for group in optimizer.param_groups
            for weight in group["params"]
        }
        energy = torch.stack(
            [
                (gradient + decays[weight] * weight).square().sum() / 2
                for weight, gradient in zip(weights, gradients, strict=True)
            ]
        ).sum()
        of_energy = torch.autograd.grad(energy, weights)
        for weight, gradient, consensus in zip(weights, gradients, of_energy, strict=True):
            weight.grad = gradient.detach() + self.strength * consensus
        for optimizer in optimizers:
            optimizer.step()


def weights_of(gan: GANState) -> list[Tensor]:
    """Return the weights of both networks, the generator's first."""
    return [*gan.generator.parameters(), *gan.discriminator.parameters()]


def gradients_of(
    gan: GANState, config: StepConfig, real: Tensor, latents: Tensor, context: StepContext
) -> list[Tensor]:
    """Return the gradients of both networks at the same weights, the generator's first, with a graph.

    The flow of the game is dw/dt = -gradients. They include stabilisers but not weight decay. A lazy penalty
    counts with its mean over the steps, which is its weight: the trainer's step adds ``every`` times as much,
    at every ``every``-th step. The generator descends no penalty, but D's gradient of a penalty at generated
    images depends on the weights of the generator, and is differentiable by them.
    """
    generator, discriminator = gan.generator, gan.discriminator
    fake = generator(latents)
    seen_real, seen_fake = apply_transforms(config, real, context), apply_transforms(config, fake, context)
    real_logits, fake_logits = discriminator_logits(discriminator, config, seen_real, seen_fake, None)
    generator_loss = config.loss.generator(real_logits, fake_logits)
    discriminator_loss = config.loss.discriminator(real_logits, fake_logits)
    for stabiliser in config.stabilisers:
        if isinstance(stabiliser, GradientPenalty):
            points = stabiliser.points(seen_real, seen_fake, context.noise)
            # The trainer's step detaches these images; here their dependence on the generator counts.
            points = points if points.requires_grad else points.detach().requires_grad_()
            (by_image,) = torch.autograd.grad(discriminator(points).sum(), points, create_graph=True)
            discriminator_loss = discriminator_loss + stabiliser.of_gradient(by_image) / stabiliser.every
        else:
            penalty = stabiliser.penalty(discriminator, seen_real, seen_fake, 0, context.noise)
            if penalty is not None:
                discriminator_loss = discriminator_loss + penalty
    of_generator = torch.autograd.grad(generator_loss, list(generator.parameters()), create_graph=True)
    of_discriminator = torch.autograd.grad(
        discriminator_loss, list(discriminator.parameters()), create_graph=True
    )
    return config.mean([*of_generator, *of_discriminator])


def times_jacobian(
    gradients: Sequence[Tensor], weights: Sequence[Tensor], vector: Sequence[Tensor]
) -> list[Tensor]:
    """Return the transposed Jacobian of ``gradients_of`` times a vector, all in the shapes of the weights."""
    pairs = [
        (gradient, part) for gradient, part in zip(gradients, vector, strict=True) if gradient.requires_grad
    ]
    products = torch.autograd.grad(
        [gradient for gradient, _ in pairs],
        weights,
        [part for _, part in pairs],
        retain_graph=True,
        allow_unused=True,
    )
    return [
        torch.zeros_like(weight) if part is None else part
        for weight, part in zip(weights, products, strict=True)
    ]


def as_if_alone(config: StepConfig, replicas: int) -> StepConfig:
    """Return a configuration in which each of ``replicas`` gets the gradients that it would get alone."""
    return replace(config, mean=lambda tensors: [tensor * replicas for tensor in tensors])
