"""When readings are due, and how they are taken: the same for every subject.

The subject is the run of a trainer (``health.py``), or the loop of
somebody else (``ganzfeld.watching``).
"""

import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import AbstractContextManager
from types import ModuleType

import torch
from torch import Tensor

from ganzfeld.health.probe import ProbeContext
from ganzfeld.health.readings import readings
from ganzfeld.training.callbacks import Pace, TrainCallback
from ganzfeld.training.clock import Due


class ReadingsMonitor(ABC):
    """Takes readings of a subject when they are due.

    The duration of the last readings decides when the next are due: see ``Pace``. A subclass knows the
    subject.
    """

    def __init__(self, pace: Pace = TrainCallback.pace) -> None:
        self._pace = pace
        self._few_due, self._all_due = (
            Due(pace.readings_every_s, pace.readings_every_share) for _ in range(2)
        )
        self._images_before: Tensor | None = None

    @property
    @abstractmethod
    def device(self) -> torch.device:
        """The device of the networks."""

    @abstractmethod
    def probe(self) -> ProbeContext:
        """Return the context that readings are taken from."""

    @abstractmethod
    def undisturbed(self, probe: ProbeContext) -> AbstractContextManager[object]:
        """Return the context in which passes through the networks of the probe change nothing."""

    @property
    def can_pass(self) -> bool:
        """Whether images and forward passes are possible; if not, only readings without them are taken."""
        return True

    def read(self, entry: ModuleType, probe: ProbeContext) -> Mapping[str, Tensor | float]:
        """Take one group of readings; a subclass may handle failures."""
        return entry.read(probe)

    def quality_of(self, images: Tensor) -> Mapping[str, float]:
        """Return the parts of the quality of generated images, by name; by default none."""
        return {}

    @property
    def next_s(self) -> float:
        """Seconds of training after which the next readings are due."""
        return min(self._few_due.next, self._all_due.next)

    def due(self, seconds: float) -> bool:
        """Check whether readings are due after ``seconds`` of training."""
        return seconds >= self.next_s

    def take_readings(self, seconds: float, everything: bool = False) -> dict[str, float]:
        """Take readings and return them by name: all if they are due or ``everything`` is set, else a few.

        ``seconds`` is the training time so far. At least one step must have been noted. A value may be
        infinite or NaN.
        """
        begun = time.perf_counter()
        probe = self.probe()
        everything = self.can_pass and (everything or seconds >= self._all_due.next)
        values: dict[str, Tensor | float] = {}
        with self.undisturbed(probe):
            for entry in map(readings.load, readings.names()):
                if everything or not entry.PASSES:
                    values |= self.read(entry, probe)
            if everything:
                self._images_before = probe.images
            quality = self.quality_of(probe.images) if everything else {}
        numbers = self._numbers(values) | dict(quality)
        took_s = time.perf_counter() - begun
        if everything:
            self._all_due.spacing = max(self._pace.readings_every_s, took_s / self._pace.readings_cost)
            self._all_due.from_now(seconds)
        else:
            self._few_due.spacing = max(self._pace.readings_every_s, took_s / self._pace.cheap_readings_cost)
        self._few_due.from_now(seconds)
        return numbers

    def _numbers(self, values: Mapping[str, Tensor | float]) -> dict[str, float]:
        """Fetch the values from the device, with one synchronisation."""
        if not values:
            return {}
        stacked = torch.stack(
            [torch.as_tensor(value, device=self.device).float() for value in values.values()]
        )
        return dict(zip(values, stacked.tolist(), strict=True))
