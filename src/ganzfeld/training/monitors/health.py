"""The doctor's examinations of a training: what is kept for them, what they read, and when they are due.

The readings themselves are in ``health/readings/``. Looking changes nothing: the run ends with the weights of
one that was never examined.
"""

import math
import time
from collections import deque

import numpy as np
import torch
from torch import Tensor

from ganzfeld.compute.distributed import with_own_statistics
from ganzfeld.data.order import spread
from ganzfeld.health.probe import ProbeContext
from ganzfeld.health.readings import readings
from ganzfeld.latent import latents_of_seeds
from ganzfeld.training.clock import Due
from ganzfeld.training.step import StepOutput
from ganzfeld.training.trainer import Trainer

EVERY_S = 2.0
EVERY_SHARE = 0.01
"""Examinations are at least two seconds of training apart, and a hundredth of the run's age."""

MOST_FOR_ALL = 0.0175
MOST_FOR_FEW = 0.0025
"""The largest share of the time for examinations with all readings, and for those with the few that need no
passes through networks: never sooner than what the last one took allows. Together a fiftieth."""

NUM_STEPS = 64
NUM_IMAGES = 64
LEAST_IMAGES = 16
MOST_PIXELS = 2**20
A_CLASS = 4
"""Images a class: of more classes than that leaves room for, the largest ones are looked at."""


class HealthMonitor:
    """Keeps the logits of the last steps of a training, and examines it when it is due.

    Of several ranks, rank 0 has one, and it works without the others: its networks are theirs.
    """

    def __init__(self, trainer: Trainer) -> None:
        self._trainer = trainer
        self._few_due, self._all_due = Due(EVERY_S, EVERY_SHARE), Due(EVERY_S, EVERY_SHARE)
        self._logits: deque[tuple[Tensor, Tensor]] = deque(maxlen=NUM_STEPS)
        self._images_before: Tensor | None = None
        recipe, engine = trainer.recipe, trainer.engine
        num = max(LEAST_IMAGES, min(NUM_IMAGES, MOST_PIXELS // math.prod(recipe.size)))
        latents = latents_of_seeds(range(num), recipe.latent.size, recipe.latent.prior)
        self._latents = latents.to(engine.device)
        self._labels = None
        shown = spread(trainer.dataset.num_pictures, num)
        if trainer.classes is not None:
            shown = trainer.classes.examples(num, num // A_CLASS)
            labels = np.resize(trainer.classes.labels[shown], num)
            self._labels = torch.from_numpy(labels).to(engine.device)
        self._real = engine.images(trainer.gather(shown))

    def note(self, outcome: StepOutput) -> None:
        """Keep what a step showed; nothing is read."""
        self._logits.append((outcome.real_logits, outcome.fake_logits))

    def due(self, seconds: float) -> bool:
        """Whether it is time for an examination, in seconds of training."""
        return seconds >= min(self._few_due.next, self._all_due.next)

    def examine(self, seconds: float, everything: bool = False) -> dict[str, float]:
        """Readings by name, after one step or more: all of them if that is due or asked for, or a few.

        ``seconds`` is how long the training has taken until now. A number may not be finite.
        """
        begun = time.perf_counter()
        everything = everything or seconds >= self._all_due.next
        probe = self.probe()
        found: dict[str, Tensor | float] = {}
        with with_own_statistics(probe.generator), with_own_statistics(probe.discriminator):
            for entry in map(readings.load, readings.names()):
                if everything or not entry.PASSES:
                    found |= entry.read(probe)
        if everything:
            self._images_before = probe.images
        device = self._trainer.engine.device
        # Here alone the device is waited for.
        values = torch.stack([torch.as_tensor(value, device=device).float() for value in found.values()])
        told = dict(zip(found, values.tolist(), strict=True))
        took_s = time.perf_counter() - begun
        if everything:
            self._all_due.spacing = max(EVERY_S, took_s / MOST_FOR_ALL)
            self._all_due.from_now(seconds)
        else:
            self._few_due.spacing = max(EVERY_S, took_s / MOST_FOR_FEW)
        self._few_due.from_now(seconds)
        return told

    def probe(self) -> ProbeContext:
        """The training as readings see it."""
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
