"""The health monitor: it decides when readings are due, keeps what they need, and takes them.

The readings themselves are in ``health/readings/``. Taking them changes nothing: the run ends with the same
weights as a run without readings.
"""

import math
import time
from collections import deque

import numpy as np
import torch
from torch import Tensor

from ganzfeld.compute.distributed import with_own_statistics
from ganzfeld.data.order import evenly_spaced
from ganzfeld.health.probe import ProbeContext
from ganzfeld.health.readings import readings
from ganzfeld.latent import latents_of_seeds
from ganzfeld.training.callbacks import Pace, TrainCallback
from ganzfeld.training.clock import Due
from ganzfeld.training.step import StepOutput
from ganzfeld.training.trainer import Trainer

NUM_STEPS = 64
NUM_IMAGES = 64
LEAST_IMAGES = 16
MOST_PIXELS = 2**20
IMAGES_PER_CLASS = 4
"""The least number of real images per class; with too many classes, only the largest classes are used."""


class HealthMonitor:
    """Keeps the logits of the last steps of a trainer, and takes readings of its health when they are due.

    The duration of the last readings decides when the next are due: see ``Pace``. For large images fewer are
    used, ``most_pixels`` at most.

    Only rank 0 has a health monitor. It works without the other ranks, whose networks are the same.
    """

    def __init__(
        self, trainer: Trainer, pace: Pace = TrainCallback.pace, most_pixels: int = MOST_PIXELS
    ) -> None:
        self._trainer = trainer
        self._pace = pace
        self._few_due, self._all_due = (
            Due(pace.readings_every_s, pace.readings_every_share) for _ in range(2)
        )
        self._logits: deque[tuple[Tensor, Tensor]] = deque(maxlen=NUM_STEPS)
        self._images_before: Tensor | None = None
        recipe, engine = trainer.recipe, trainer.engine
        num = max(LEAST_IMAGES, min(NUM_IMAGES, most_pixels // math.prod(recipe.size)))
        latents = latents_of_seeds(range(num), recipe.latent.size, recipe.latent.prior)
        self._latents = latents.to(engine.device)
        self._labels = None
        indices = evenly_spaced(trainer.dataset.num_pictures, num)
        if trainer.classes is not None:
            indices = trainer.classes.examples(num, num // IMAGES_PER_CLASS)
            labels = np.resize(trainer.classes.labels[indices], num)
            self._labels = torch.from_numpy(labels).to(engine.device)
        self._real = engine.images(trainer.gather(indices))

    def note(self, output: StepOutput) -> None:
        """Keep the logits of a step; nothing is read from the device."""
        self._logits.append((output.real_logits, output.fake_logits))

    def due(self, seconds: float) -> bool:
        """Check whether readings are due after ``seconds`` of training."""
        return seconds >= min(self._few_due.next, self._all_due.next)

    def take_readings(self, seconds: float, everything: bool = False) -> dict[str, float]:
        """Take readings and return them by name: all if they are due or ``everything`` is set, else a few.

        ``seconds`` is the training time so far. At least one step must have been noted. A value may be
        infinite or NaN.
        """
        begun = time.perf_counter()
        everything = everything or seconds >= self._all_due.next
        probe = self.probe()
        values: dict[str, Tensor | float] = {}
        with with_own_statistics(probe.generator), with_own_statistics(probe.discriminator):
            for entry in map(readings.load, readings.names()):
                if everything or not entry.PASSES:
                    values |= entry.read(probe)
        if everything:
            self._images_before = probe.images
        device = self._trainer.engine.device
        stacked = torch.stack([torch.as_tensor(value, device=device).float() for value in values.values()])
        # The only synchronisation with the device.
        numbers = dict(zip(values, stacked.tolist(), strict=True))
        took_s = time.perf_counter() - begun
        if everything:
            self._all_due.spacing = max(self._pace.readings_every_s, took_s / self._pace.readings_cost)
            self._all_due.from_now(seconds)
        else:
            self._few_due.spacing = max(self._pace.readings_every_s, took_s / self._pace.cheap_readings_cost)
        self._few_due.from_now(seconds)
        return numbers

    def probe(self) -> ProbeContext:
        """Return the context that readings are taken from. At least one step must have been noted."""
        trainer, gan = self._trainer, self._trainer.gan
        real_logits, fake_logits = (torch.stack(logits) for logits in zip(*self._logits, strict=True))
        return ProbeContext(
            generator=gan.generator,
            generator_ema=gan.generator_ema,
            discriminator=gan.discriminator,
            generator_optimizer=gan.generator_optimizer,
            discriminator_optimizer=gan.discriminator_optimizer,
            loss=trainer.config.loss,
            real_logits=real_logits,
            fake_logits=fake_logits,
            latents=self._latents,
            real=self._real,
            images_before=self._images_before,
            labels=self._labels,
            just_resumed=len(self._logits) < min(NUM_STEPS, trainer.index)
            and real_logits.numel() < NUM_IMAGES,
        )
