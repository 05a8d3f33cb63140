"""The base class of stabilisers, with three hooks; an entry overrides one of them."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from ganzfeld.record import Record


class Stabiliser(ABC, Record):
    """The base class of all stabilisers; its fields are its settings."""

    REPEATS: ClassVar[bool] = True
    """Whether it acts alike at all steps with its penalty, and alike at all steps without: it draws nothing
    random and does not depend on the progress of the run."""

    @classmethod
    def upgrade(cls, settings: Mapping[str, Any]) -> dict[str, Any]:
        """Convert settings of this or an earlier version to the names of this version."""
        return dict(settings)

    def due(self, step: int) -> bool:
        """Check whether there is a penalty at this step."""
        return False

    def prepare(self, discriminator: nn.Module) -> None:
        """Change the discriminator once, before training."""

    def transform(self, images: Tensor, progress: float, noise: torch.Generator) -> Tensor:
        """Return what the discriminator gets in place of real or generated ``images`` (B, C, *size).

        Must be differentiable. ``progress`` goes from 0 to 1 over the run; all randomness is drawn from
        ``noise``.
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
        """Return a scalar to be added to the discriminator loss at this step, or None for no penalty.

        ``discriminator`` maps images to logits (B,). With classes, an image takes the class at its index in
        the batch, whether it is real or generated.
        """
        return None


class GradientPenalty(Stabiliser):
    """The base class of penalties on the gradient of the logit with respect to images.

    A lazy penalty is computed only at every ``every``-th step, with ``every`` times the weight, so that its
    mean weight does not change (Karras et al. 2020, appendix B). In that paper the penalty has an optimizer
    step of its own, and Adam's learning rate and betas are corrected for the additional steps. Here its
    gradient is added to that of the loss, so there are no additional steps and nothing needs correction.

    The gradient is taken at, and with respect to, the images that D gets, after augmentation and noise.
    """

    AT: ClassVar[Literal["real", "fake"] | None] = None
    """Which images of D's batch the gradient is measured at; None for images of the penalty's own."""

    weight: float = Field(gt=0, le=1e6)
    every: int = Field(default=1, ge=1, lt=2**63)

    def points(self, real: Tensor, fake: Tensor, noise: torch.Generator) -> Tensor:
        """Return the images at which the gradient is measured: those that ``AT`` names."""
        return {"real": real, "fake": fake}[self.AT or "real"]

    @abstractmethod
    def cost(self, squared_norm: Tensor) -> Tensor:
        """Compute the unweighted penalty per image from the squared norm of its gradient, both (B,)."""

    def due(self, step: int) -> bool:
        """Check whether this is an ``every``-th step; the first step is one."""
        return step % self.every == 0

    def penalty(
        self,
        discriminator: Callable[[Tensor], Tensor],
        real: Tensor,
        fake: Tensor,
        step: int,
        noise: torch.Generator,
    ) -> Tensor | None:
        """Compute ``every * weight * mean(cost)`` at every ``every``-th step, else return None.

        The result is differentiable in the discriminator's weights.
        """
        if not self.due(step):
            return None
        images = self.points(real, fake, noise).detach().requires_grad_()
        logits = discriminator(images)
        (gradient,) = torch.autograd.grad(logits.sum(), images, create_graph=True)
        return self.of_gradient(gradient)

    def of_gradient(self, gradient: Tensor) -> Tensor:
        """Compute ``every * weight * mean(cost)`` from the gradient of each logit, (B, C, *size)."""
        squared_norm = gradient.square().flatten(1).sum(1)
        return self.every * self.weight * self.cost(squared_norm).mean()
