"""What a detector may look at: the journal of a run, and what was decided before training."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, TypeVar

import numpy as np

from ganzfeld.health.limits import Limit, Limits, limit_at, limits
from ganzfeld.value_kinds import is_number

_Value = TypeVar("_Value")

IMAGE = "image"
"""The kind of data whose healthy runs were measured; recipes of earlier versions name none."""

OF_QUALITY = {"kernel_distance", "kernel_distance_error", "precision", "recall", "coverage", "memorised"}
"""Readings that are measured in a feature space."""

OF_STEPS = {
    *("full_update_generator", "full_update_discriminator", "full_step_generator"),
    *("growth_generator", "growth_discriminator"),
}
"""Readings of the size of updates and weights. Adam divides each gradient by its own size, so the learning
rates of a recipe decide most of it, whatever the loss."""

SPACE = "features_sha256"
"""The journal's key for the digest of that feature space."""


@dataclass(frozen=True, slots=True)
class Series:
    """One number through a run: ``values`` (n,), each read after ``images`` (n,) images, oldest first."""

    images: np.ndarray
    values: np.ndarray

    def __len__(self) -> int:
        return len(self.values)

    def since(self, wrong: Callable[[np.ndarray], np.ndarray], least: int = 2) -> int | None:
        """Return the images seen since which all values have been wrong, up to the last one.

        ``wrong`` marks each value as wrong or not. The result is None if the last value is not wrong, or if
        fewer than ``least`` in a row are: a single one may be chance.
        """
        marks = np.asarray(wrong(self.values), dtype=bool)
        right = np.flatnonzero(~marks)
        first = int(right[-1]) + 1 if len(right) else 0
        return int(self.images[first]) if len(marks) - first >= least else None


def _full_rate(images_seen: int) -> float:
    return 1.0


@dataclass(frozen=True)
class RunEvidence:
    """The evidence about a run, as far as it has come.

    ``entries`` are those of the journal, oldest first, with the readings under ``health``. ``recipe`` is the
    recipe as a JSON object. ``planned_images`` is the number of images that the run will see, if it is known.
    ``limits`` are the ranges that healthy runs have shown. ``undoing`` holds settings, as ``path=value``,
    that would restore the values of the built-in recipe of that name. ``unusual`` holds the settings that are
    far from all that is known, as pairs of path and sentence. ``rate_at`` returns the schedule's
    factor on the learning rates for a step that begins after a number of images. ``class_names`` are the
    names of the classes where the run trains by class. ``watched``: the readings are those of a loop that
    somebody else wrote; ``recipe`` then holds what is known of it.
    """

    entries: Sequence[Mapping[str, Any]]
    recipe: Mapping[str, Any]
    num_pictures: int
    num_duplicates: int = 0
    planned_images: int | None = None
    limits: Limits = field(default_factory=limits)
    rate_at: Callable[[int], float] = _full_rate
    undoing: Sequence[str] = ()
    unusual: Sequence[tuple[str, str]] = ()
    class_names: Sequence[str] = ()
    watched: bool = False

    def limit(self, name: str, step: int) -> Limit | None:
        """Return the healthy range of a reading at a step of this run; None where it is not known.

        The limits of a recipe also hold for its family, such as modern-large for modern, and for changed
        versions of it, unless the loss was changed: it decides what the readings of logits mean, and how soon
        images vary. Then, and for other recipes, those of all recipes hold; where there is none yet, that of
        the family holds for readings in ``OF_STEPS``. See ``Limit`` for width and classes. A loop that was
        watched uses the limits of all recipes together. They were measured on images, so no limit is known
        for other kinds of data.
        """
        if self.kind_of_data != IMAGE:
            return None
        width, by_class = self.recipe["generator"]["width"], self.recipe["classes"] != "none"
        limit = limit_at(self.limits, name, step, self.kind, width, by_class=by_class)
        if limit is not None or self.watched or name not in OF_STEPS:
            return limit
        family = self.kind.split()[0]
        of_family = (
            known.recipe for known in self.limits.get(name, ()) if known.recipe.split()[:1] == [family]
        )
        kind = next(of_family, "")
        return limit_at(self.limits, name, step, kind, width, by_class=by_class) if kind else None

    @property
    def kind_of_data(self) -> str:
        """What the data of the run are: image, map or sequence."""
        return self.recipe.get("kind", IMAGE)

    @property
    def kind(self) -> str:
        """The kind of the recipe: its family, and its loss; empty for a loop that was watched."""
        if self.watched:
            return ""
        family, _, _ = self.recipe["name"].partition("-")
        return f"{family} {self.recipe['loss']['name']}"

    @property
    def images_seen(self) -> int:
        """Number of images that the run has seen."""
        return self.entries[-1]["images_seen"] if self.entries else 0

    def series(self, name: str) -> Series:
        """Return a reading through the run, without values that are missing or not finite.

        A reading of quality leaves out values from another feature space than the latest one: figures of
        different feature spaces cannot be compared.
        """
        return self.cached(f"series {name}", lambda: self._series(name))

    def cached(self, key: str, compute: Callable[[], _Value]) -> _Value:
        """Return the result of ``compute``, which is called once for each ``key``: evidence never changes."""
        if key not in self._cache:
            self._cache[key] = compute()
        return self._cache[key]

    @cached_property
    def _cache(self) -> dict[str, Any]:
        return {}

    def _series(self, name: str) -> Series:
        pairs = [
            (entry["images_seen"], value)
            for entry in (self._entries_of_one_space if name in OF_QUALITY else self.entries)
            if is_number(value := health_of(entry).get(name, entry.get(name))) and math.isfinite(value)
        ]
        images, values = zip(*pairs, strict=True) if pairs else ((), ())
        return Series(np.array(images, dtype=np.int64), np.array(values, dtype=np.float64))

    @cached_property
    def _entries_of_one_space(self) -> list[Mapping[str, Any]]:
        """Entries without those whose quality was measured in another feature space than the latest one."""
        spaces = [health_of(entry).get(SPACE) for entry in self.entries]
        last = next((space for space in reversed(spaces) if space is not None), None)
        pairs = zip(self.entries, spaces, strict=True)
        return [entry for entry, space in pairs if space is None or space == last]

    def until(self, images_seen: int) -> "RunEvidence":
        """Return the evidence as it was after ``images_seen`` images."""
        entries = [entry for entry in self.entries if entry["images_seen"] <= images_seen]
        return replace(self, entries=entries)


def health_of(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the readings of a journal entry; empty where the file holds something else there."""
    health = entry.get("health")
    return health if isinstance(health, dict) else {}
