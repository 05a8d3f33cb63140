"""Adversarial losses on logits, with softened targets and a temperature for the losses that support them.

An entry is one file that defines

- ``discriminator(real, fake, targets) -> Tensor`` and ``generator(real, fake) -> Tensor``: scalars, the mean
  over the batch, from logits of shape (B,); D = sigmoid(logit);
- ``PAIRED``: whether the generator loss uses the logits of real images;
- ``NO_SMOOTHING``, ``NO_SIDES``, ``NO_TEMPERATURE``: why the loss does not support softened targets,
  softening of both sides, or a temperature; empty if it does.
"""

from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor

from ganzfeld.catalogue import Catalogue
from ganzfeld.errors import UsageError

losses = Catalogue("ganzfeld.losses", "loss")

LARGEST_TEMPERATURE = 1_000_000


class Targets(NamedTuple):
    """The discriminator's targets for real and for generated images."""

    real: float
    fake: float


@dataclass(frozen=True)
class Loss:
    """A loss by name, with softened targets and with logits divided by a temperature.

    ``smoothing`` is alpha in [0, 0.5): the target of real images becomes 1 - alpha and, with
    ``smooth_sides`` 2, the target of generated images becomes alpha. Only the discriminator's targets are
    softened. ``temperature`` T > 0 replaces every logit l by l / T. Raises ``UsageError`` for values out of
    range and for options that the loss does not support.
    """

    name: str
    smoothing: float = 0.0
    smooth_sides: int = 1
    temperature: float = 1.0

    def __post_init__(self) -> None:
        entry = losses.load(self.name)
        if not 0 <= self.smoothing < 0.5:
            raise UsageError(
                f"loss.smoothing {self.smoothing} is out of range: it must be at least 0 and below 0.5",
                "At 0.5 real and generated images have the same target; 0.1 is usual.",
            )
        if self.smooth_sides not in (1, 2):
            raise UsageError(
                f"loss.smooth_sides must be 1 (real images) or 2 (both), not {self.smooth_sides}"
            )
        if not 0 < self.temperature <= LARGEST_TEMPERATURE:
            raise UsageError(
                f"loss.temperature {self.temperature} is out of range: it must be above 0 and at most"
                f" {LARGEST_TEMPERATURE:,}",
                "1 leaves the logits unchanged; larger values soften them.",
            )
        if self.smoothing > 0 and entry.NO_SMOOTHING:
            raise UsageError(f"loss {self.name!r} takes no smoothing: {entry.NO_SMOOTHING}")
        if self.smoothing > 0 and self.smooth_sides == 2 and entry.NO_SIDES:
            raise UsageError(f"loss {self.name!r} takes only smooth_sides=1: {entry.NO_SIDES}")
        if self.temperature != 1 and entry.NO_TEMPERATURE:
            raise UsageError(f"loss {self.name!r} takes no temperature: {entry.NO_TEMPERATURE}")

    @property
    def targets(self) -> Targets:
        """The discriminator's targets after softening."""
        return Targets(1 - self.smoothing, self.smoothing if self.smooth_sides == 2 else 0.0)

    @property
    def paired(self) -> bool:
        """Whether the generator loss needs the logits of real images."""
        return losses.load(self.name).PAIRED

    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        """Compute the discriminator loss, a scalar, from the logits (B,) of real and generated images."""
        entry = losses.load(self.name)
        return entry.discriminator(real / self.temperature, fake / self.temperature, self.targets)

    def generator(self, real: Tensor | None, fake: Tensor) -> Tensor:
        """Compute the generator loss, a scalar, from logits (B,); ``real`` may be None unless paired."""
        entry = losses.load(self.name)
        scaled = None if real is None else real / self.temperature
        return entry.generator(scaled, fake / self.temperature)
