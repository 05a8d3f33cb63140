"""What a reading may look at: the networks as they stand, and the results of the last steps."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from torch import Tensor
from torch.optim import Optimizer

from ganzfeld.health.forward_trace import (
    AnyDiscriminator,
    AnyGenerator,
    ForwardTrace,
    forward,
    trace_forward,
)
from ganzfeld.losses import Loss

NUM_LIVE = 32


@dataclass(frozen=True)
class LoopRecord:
    """What was seen of a loop that somebody else wrote, by the names of readings.

    ``gradients`` are those of each network as its optimizer used them. ``facts`` say how the loop trains the
    networks; see ``readings/loop.py``.
    """

    gradients: Mapping[str, Tensor | float]
    facts: Mapping[str, Tensor | float]


@dataclass(frozen=True)
class ProbeContext:
    """The live networks between two steps, with the images and logits that readings need.

    The weights' ``grad`` comes from the last step. ``real_logits`` and ``fake_logits`` (T, B) come from the
    last T steps, oldest first. ``latents`` (N, n) and ``real`` (N, C, *size), images in [-1, 1], are the same
    every time. ``images_before`` (N, C, *size) is ``images`` of the previous probe, None the first time.
    ``labels`` (N,) are the classes of ``latents``, ``images`` and ``real`` alike, None without classes.
    ``just_resumed``: the run has resumed from a checkpoint, and too few logits have been collected since.

    In a loop that somebody else wrote (``loop`` is what was seen of it), images have the range of values that
    the loop gives to the discriminator, there is no average of the weights, and optimizers and loss may be
    unknown.

    Each forward pass is made once, when a reading first asks for it.
    """

    generator: AnyGenerator
    generator_ema: AnyGenerator
    discriminator: AnyDiscriminator
    generator_optimizer: Optimizer | None
    discriminator_optimizer: Optimizer | None
    loss: Loss | None
    real_logits: Tensor
    fake_logits: Tensor
    latents: Tensor
    real: Tensor
    images_before: Tensor | None
    labels: Tensor | None = None
    just_resumed: bool = False
    loop: LoopRecord | None = None

    @cached_property
    def images(self) -> Tensor:
        """Images (N, C, *size) of all ``latents`` by the averaged weights, in one batch."""
        return forward(self.generator_ema, self.latents, self.labels)

    @property
    def some_latents(self) -> Tensor:
        """About 32 of ``latents``, enough for readings of the live networks."""
        return self._some(self.latents)

    @property
    def some_real(self) -> Tensor:
        """About 32 of ``real``."""
        return self._some(self.real)

    @property
    def some_labels(self) -> Tensor | None:
        """Classes of ``some_latents``."""
        return None if self.labels is None else self._some(self.labels)

    @property
    def some_real_labels(self) -> Tensor | None:
        """Classes of ``some_real``."""
        return None if self.labels is None else self._some(self.labels[: len(self.real)])

    def generate(self, which: slice, shift: Tensor | float = 0.0) -> Tensor:
        """Return the live generator's images of ``some_latents[which] + shift``, made in one batch."""
        labels = None if self.some_labels is None else self.some_labels[which]
        return forward(self.generator, self.some_latents[which] + shift, labels)

    @cached_property
    def generator_trace(self) -> ForwardTrace:
        """Trace of the live generator on ``some_latents``, in its training mode."""
        return trace_forward(self.generator, self.some_latents, self.some_labels)

    @cached_property
    def real_trace(self) -> ForwardTrace:
        """Trace of the live discriminator on ``some_real``."""
        return trace_forward(self.discriminator, self.some_real, self.some_real_labels)

    @cached_property
    def fake_trace(self) -> ForwardTrace:
        """Trace of the live discriminator on images of the live generator."""
        return trace_forward(self.discriminator, self.generator_trace.output, self.some_labels)

    def _some(self, rows: Tensor) -> Tensor:
        if self.labels is not None:
            return rows[:NUM_LIVE]  # the classes alternate, so the first rows hold all of them
        return rows[:: max(1, len(rows) // NUM_LIVE)]  # the dataset may be sorted
