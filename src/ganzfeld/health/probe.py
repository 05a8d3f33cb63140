"""What a reading may look at: the networks as they stand, and what the last steps left."""

from dataclasses import dataclass
from functools import cached_property

from torch import Tensor
from torch.optim import Optimizer

from ganzfeld.health.looking import ForwardTrace, look, passed
from ganzfeld.losses import Loss
from ganzfeld.networks import Discriminator, Generator

NUM_LIVE = 32


@dataclass(frozen=True)
class ProbeContext:
    """A live training at rest between two steps.

    ``weights``' ``grad`` are those of the last step. ``real_logits`` and ``fake_logits`` (T, B) are those of
    the last T steps, oldest first. ``latents`` (N, n) are the same at every look, ``real`` (N, C, *size)
    images in [-1, 1] too. ``images_before`` (N, C, *size) are ``images`` as they were at the last look,
    None at the first. ``labels`` (N,) are the classes of ``latents``, ``images`` and ``real`` alike, None
    without classes. ``goes_on``: it has just gone on from a checkpoint, and the logits are of too few
    images yet. Passes through networks are made once, when a reading asks for them.
    """

    generator: Generator
    generator_ema: Generator
    discriminator: Discriminator
    generator_optimizer: Optimizer
    discriminator_optimizer: Optimizer
    loss: Loss
    real_logits: Tensor
    fake_logits: Tensor
    latents: Tensor
    real: Tensor
    images_before: Tensor | None
    labels: Tensor | None = None
    goes_on: bool = False

    @cached_property
    def images(self) -> Tensor:
        """Those of all ``latents`` (N, C, *size) by the averaged weights, in one batch."""
        return passed(self.generator_ema, self.latents, self.labels)

    @property
    def some_latents(self) -> Tensor:
        """About 32 of ``latents``, enough to look at live networks."""
        return self._some(self.latents)

    @property
    def some_real(self) -> Tensor:
        """About 32 of ``real``."""
        return self._some(self.real)

    @property
    def some_labels(self) -> Tensor | None:
        """The classes of ``some_latents``."""
        return None if self.labels is None else self._some(self.labels)

    @property
    def some_real_labels(self) -> Tensor | None:
        """The classes of ``some_real``."""
        return None if self.labels is None else self._some(self.labels[: len(self.real)])

    def made(self, which: slice, shift: Tensor | float = 0.0) -> Tensor:
        """What the live generator makes of part of ``some_latents``, moved by ``shift``, as one batch."""
        labels = None if self.some_labels is None else self.some_labels[which]
        return passed(self.generator, self.some_latents[which] + shift, labels)

    @cached_property
    def generated(self) -> ForwardTrace:
        """The live generator's pass of ``some_latents``, in the mode it trains in."""
        return look(self.generator, self.some_latents, self.some_labels)

    @cached_property
    def judged_real(self) -> ForwardTrace:
        """The live discriminator's pass of ``some_real``."""
        return look(self.discriminator, self.some_real, self.some_real_labels)

    @cached_property
    def judged_fake(self) -> ForwardTrace:
        """The live discriminator's pass of what the live generator makes."""
        return look(self.discriminator, self.generated.output, self.some_labels)

    def _some(self, each: Tensor) -> Tensor:
        if self.labels is not None:
            return each[:NUM_LIVE]  # classes take turns
        return each[:: max(1, len(each) // NUM_LIVE)]  # a set of images may be sorted
