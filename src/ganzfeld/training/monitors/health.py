"""The health monitor of a trainer: it keeps what readings need of the last steps.

The readings themselves are in ``health/readings/``. Taking them changes nothing: the run ends with the same
weights as a run without readings.
"""

import contextlib
import math
from collections import deque
from collections.abc import Iterator, Mapping

import numpy as np
import torch
from torch import Tensor

from ganzfeld.compute.distributed import with_own_statistics
from ganzfeld.data.order import evenly_spaced
from ganzfeld.health.probe import ProbeContext
from ganzfeld.latent import latents_of_seeds
from ganzfeld.training.callbacks import Pace, TrainCallback
from ganzfeld.training.monitors.readings import ReadingsMonitor
from ganzfeld.training.monitors.scale import bytes_of, quality_scale_of
from ganzfeld.training.step import StepOutput
from ganzfeld.training.trainer import Trainer

NUM_STEPS = 64
NUM_IMAGES = 64
LEAST_IMAGES = 16
MOST_PIXELS = 2**20
IMAGES_PER_CLASS = 4
"""The least number of real images per class; with too many classes, only the largest classes are used."""


class HealthMonitor(ReadingsMonitor):
    """Keeps the logits of the last steps of a trainer, and takes readings of its health when they are due.

    For large images fewer are used, ``most_pixels`` at most.

    Only rank 0 has a health monitor. It works without the other ranks, whose networks are the same.
    """

    def __init__(
        self, trainer: Trainer, pace: Pace = TrainCallback.pace, most_pixels: int = MOST_PIXELS
    ) -> None:
        super().__init__(pace)
        self._trainer = trainer
        self._logits: deque[tuple[Tensor, Tensor]] = deque(maxlen=NUM_STEPS)
        recipe, engine = trainer.recipe, trainer.engine
        num = num_fixed(recipe.size, most_pixels)
        latents = latents_of_seeds(range(num), recipe.latent.size, recipe.latent.prior)
        self._latents = latents.to(engine.device)
        self._labels = None
        indices = evenly_spaced(trainer.dataset.num_pictures, num)
        if trainer.classes is not None:
            indices = trainer.classes.examples(num, num // IMAGES_PER_CLASS)
            labels = np.resize(trainer.classes.labels[indices], num)
            self._labels = torch.from_numpy(labels).to(engine.device)
        self._real = engine.images(trainer.gather(indices), trainer.dataset.scale)
        self._scale = quality_scale_of(trainer, self._latents, self._labels)

    @property
    def device(self) -> torch.device:
        """The device of the networks."""
        return self._trainer.engine.device

    def note(self, output: StepOutput) -> None:
        """Keep the logits of a step; nothing is read from the device."""
        self._logits.append((output.real_logits, output.fake_logits))

    def quality_of(self, images: Tensor) -> Mapping[str, float]:
        """Return the parts of the quality of generated images, on the scale of this run."""
        return {} if self._scale is None else self._scale.scores(bytes_of(images))

    @contextlib.contextmanager
    def undisturbed(self, probe: ProbeContext) -> Iterator[None]:
        """Let batch norms take their statistics on this rank alone inside the block."""
        with with_own_statistics(probe.generator), with_own_statistics(probe.discriminator):
            yield

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


def num_fixed(size: tuple[int, ...], most_pixels: int = MOST_PIXELS) -> int:
    """Return the number of fixed latents and real images of a size: 64, or fewer of large images."""
    return max(LEAST_IMAGES, min(NUM_IMAGES, most_pixels // math.prod(size)))
