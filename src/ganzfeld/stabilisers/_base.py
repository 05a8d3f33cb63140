"""What a stabiliser may do; each entry does one of the three and leaves the rest alone."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn

from ganzfeld.record import Record


class Stabiliser(ABC, Record):
    """Base of all stabilisers; its fields are its settings."""

    REPEATS: ClassVar[bool] = True
    """Whether it does the same at every step that has its penalty, and at every step that has not: it draws
    nothing and knows nothing of the progress of the run."""

    def due(self, step: int) -> bool:
        """Whether it has a penalty at this step."""
        return False

    def prepare(self, discriminator: nn.Module) -> None:
        """Change the discriminator once, before training."""

    def transform(self, images: Tensor, progress: float, noise: torch.Generator) -> Tensor:
        """What the discriminator sees instead of ``images`` (B, C, *size), real or generated alike.

        Differentiable. ``progress`` goes from 0 to 1 over the run; all randomness comes from ``noise``.
        """
        return images

    def penalty(
        self,
        discriminator: Callable[[Tensor], Tensor],
        real: Tensor,
        fake: Tensor,
        step: int,
        noise: torch.Generator,
    ) -> Tensor | None:
        """A scalar added to the discriminator's loss at this step, or None where there is none.

        ``discriminator`` gives the logits (B,) of images; with classes, which are those of its places in
        the batch, of real images as of generated ones.
        """
        return None


class GradientPenalty(Stabiliser):
    """Base of the penalties on the gradient of the logit with respect to images.

    A lazy penalty is computed at every ``every``-th step only and counts ``every`` times as much there, so
    that its mean weight does not change (Karras et al. 2020, appendix B).
    """

    weight: float = Field(gt=0, le=1e6)
    every: int = Field(default=1, ge=1, lt=2**63)

    @abstractmethod
    def points(self, real: Tensor, fake: Tensor, noise: torch.Generator) -> Tensor:
        """The images at which the gradient is measured."""

    @abstractmethod
    def cost(self, squared_norm: Tensor) -> Tensor:
        """The penalty per image from the squared norm of its gradient, both (B,), without the weight."""

    def due(self, step: int) -> bool:
        """At every ``every``-th step, from the first on."""
        return step % self.every == 0

    def penalty(
        self,
        discriminator: Callable[[Tensor], Tensor],
        real: Tensor,
        fake: Tensor,
        step: int,
        noise: torch.Generator,
    ) -> Tensor | None:
        """``every * weight * mean(cost)`` at every ``every``-th step, differentiable in D's weights."""
        if not self.due(step):
            return None
        images = self.points(real, fake, noise).detach().requires_grad_()
        logits = discriminator(images)
        (gradient,) = torch.autograd.grad(logits.sum(), images, create_graph=True)
        squared_norm = gradient.square().flatten(1).sum(1)
        return self.every * self.weight * self.cost(squared_norm).mean()
