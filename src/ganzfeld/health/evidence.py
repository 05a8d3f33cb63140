"""What a detector may look at: the journal of a training and what was decided before it."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, TypeVar

import numpy as np

from ganzfeld.health.limits import Limit, Limits, limit_at, limits

_Made = TypeVar("_Made")

OF_QUALITY = {"kernel_distance", "kernel_distance_error", "precision", "recall", "coverage", "memorised"}
"""Readings that are taken in a feature space."""

SPACE = "features_sha256"
"""Beside them in the journal: the digest of that space."""


@dataclass(frozen=True, slots=True)
class Series:
    """One number through a training: ``values`` (n,) read after ``images`` (n,) images, oldest first."""

    images: np.ndarray
    values: np.ndarray

    def __len__(self) -> int:
        return len(self.values)

    def since(self, wrong: Callable[[np.ndarray], np.ndarray], least: int = 2) -> int | None:
        """Since how many images the values have been wrong without a break up to the end.

        ``wrong`` says for each value whether it is. None if the last one is not, or if fewer than ``least``
        in a row are: a single reading may be chance.
        """
        marks = np.asarray(wrong(self.values), dtype=bool)
        right = np.flatnonzero(~marks)
        first = int(right[-1]) + 1 if len(right) else 0
        return int(self.images[first]) if len(marks) - first >= least else None


def _whole(images_seen: int) -> float:
    return 1.0


@dataclass(frozen=True)
class RunEvidence:
    """A training as far as it has come.

    ``entries`` are those of the journal, oldest first, with the readings under ``health``. ``recipe`` is the
    recipe as a JSON object. ``planned_images`` is the number of images the run is to see, if that is known.
    ``limits`` are the ranges that healthy runs have shown. ``undoing`` are the settings, as ``path=value``,
    that would take back what was changed of the recipe of that name. ``rate_at`` says what share of the
    recipe's learning rates a step is made with that begins after so many images. ``class_names`` are there
    where it trains by class.
    """

    entries: Sequence[Mapping[str, Any]]
    recipe: Mapping[str, Any]
    num_pictures: int
    num_duplicates: int = 0
    planned_images: int | None = None
    limits: Limits = field(default_factory=limits)
    rate_at: Callable[[int], float] = _whole
    undoing: Sequence[str] = ()
    class_names: Sequence[str] = ()

    def limit(self, name: str, step: int) -> Limit | None:
        """What is healthy for a reading at a step of this training; None where that is not known.

        The limits of a recipe hold for trainings by it, with changes too, unless these are of the loss, which
        decides what the readings of logits mean; see ``Limit`` for width and classes.
        """
        kind = f"{self.recipe['name']} {self.recipe['loss']['name']}"
        width, by_class = self.recipe["generator"]["width"], self.recipe["classes"] != "none"
        return limit_at(self.limits, name, step, kind, width, by_class=by_class)

    @property
    def images_seen(self) -> int:
        """How far it has come, in images."""
        return self.entries[-1]["images_seen"] if self.entries else 0

    def series(self, name: str) -> Series:
        """A reading through time. What was not finite, or not read, is left out.

        Of quality, what was read in another feature space than the last time is left out too: figures of two
        have nothing to do with each other.
        """
        return self.once(f"series {name}", lambda: self._series(name))

    def once(self, what: str, make: Callable[[], _Made]) -> _Made:
        """Return what ``make`` gives, made once under that name: a case does not change."""
        if what not in self._made:
            self._made[what] = make()
        return self._made[what]

    @cached_property
    def _made(self) -> dict[str, Any]:
        return {}

    def _series(self, name: str) -> Series:
        pairs = [
            (entry["images_seen"], value)
            for entry in (self._judged_alike if name in OF_QUALITY else self.entries)
            if _is_number(value := health_of(entry).get(name, entry.get(name)))
        ]
        images, values = zip(*pairs, strict=True) if pairs else ((), ())
        return Series(np.array(images, dtype=np.int64), np.array(values, dtype=np.float64))

    @cached_property
    def _judged_alike(self) -> list[Mapping[str, Any]]:
        """The entries but for judgements in another feature space than that of the last one."""
        spaces = [health_of(entry).get(SPACE) for entry in self.entries]
        last = next((each for each in reversed(spaces) if each is not None), None)
        pairs = zip(self.entries, spaces, strict=True)
        return [entry for entry, each in pairs if each is None or each == last]

    def until(self, images_seen: int) -> "RunEvidence":
        """The case as it was after that many images."""
        entries = [entry for entry in self.entries if entry["images_seen"] <= images_seen]
        return replace(self, entries=entries)


def health_of(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    """The readings of an entry; a file may hold anything."""
    health = entry.get("health")
    return health if isinstance(health, dict) else {}


def _is_number(value: Any) -> bool:
    """Whether it is a finite number."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
