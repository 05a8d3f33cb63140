"""What a reading may look at: the networks as they stand, and what the last steps left."""

from dataclasses import dataclass
from functools import cached_property

from torch import Tensor
from torch.optim import Optimizer

from ganzfeld.health.looking import Look, look, passed
from ganzfeld.losses import Loss
from ganzfeld.networks import Discriminator, Generator


@dataclass(frozen=True)
class Patient:
    """A live training at rest between two steps.

    ``weights``' ``grad`` are those of the last step. ``real_logits`` and ``fake_logits`` (T, B) are those of
    the last T steps, oldest first. ``latents`` (N, n) are the same at every look, ``real`` (N, C, *size)
    pictures in [-1, 1] too. ``pictures`` (N, C, *size) are those of ``latents`` as the model would make them
    now (averaged weights, fixed statistics), ``pictures_before`` those of the last look, None at the first.
    ``labels`` (N,) are the classes of ``latents``, ``pictures`` and ``real`` alike, None without classes.
    """

    generator: Generator
    discriminator: Discriminator
    generator_optimizer: Optimizer
    discriminator_optimizer: Optimizer
    loss: Loss
    real_logits: Tensor
    fake_logits: Tensor
    latents: Tensor
    real: Tensor
    pictures: Tensor
    pictures_before: Tensor | None
    labels: Tensor | None = None

    def classes(self, which: slice) -> Tensor | None:
        """Some of ``labels``, if there are any."""
        return None if self.labels is None else self.labels[which]

    def made(self, which: slice, shift: Tensor | float = 0.0) -> Tensor:
        """What the live generator makes of some of ``latents``, moved by ``shift``, as one batch."""
        return passed(self.generator, self.latents[which] + shift, self.classes(which))

    @cached_property
    def generated(self) -> Look:
        """The live generator's pass of ``latents``, in the mode it trains in; made once for all readings."""
        return look(self.generator, self.latents, self.labels)

    @cached_property
    def judged_real(self) -> Look:
        """The live discriminator's pass of ``real``."""
        return look(self.discriminator, self.real, self.classes(slice(len(self.real))))

    @cached_property
    def judged_fake(self) -> Look:
        """The live discriminator's pass of what the live generator makes."""
        return look(self.discriminator, self.generated.output, self.labels)
