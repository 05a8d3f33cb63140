"""The classes of the images that are trained on, where the recipe lets them enter."""

import hashlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ganzfeld.data import ImageDataset
from ganzfeld.data.order import spread
from ganzfeld.data.source import encodable
from ganzfeld.errors import DataError
from ganzfeld.model.card import LONGEST_NAME, MOST_CLASSES, ClassCard
from ganzfeld.printable import printable

_WITHOUT = "Leave out classes (--set classes=none) to train on all images alike."


@dataclass(frozen=True)
class Classes:
    """``names`` by label, and ``labels``, the class number of every image: int64 (num_pictures,)."""

    names: tuple[str, ...]
    labels: np.ndarray

    @cached_property
    def num_pictures(self) -> list[int]:
        """How many images each class has."""
        return np.bincount(self.labels, minlength=len(self.names)).tolist()

    @property
    def cards(self) -> tuple[ClassCard, ...]:
        """What the card of a model says of them."""
        pairs = zip(self.names, self.num_pictures, strict=True)
        return tuple(ClassCard(name=name, num_pictures=number) for name, number in pairs)

    @cached_property
    def content_hash(self) -> str:
        """SHA-256 of names and labels."""
        digest = hashlib.sha256("\0".join(self.names).encode())
        digest.update(self.labels.astype("<i8").tobytes())
        return digest.hexdigest()

    def examples(self, num: int, most_classes: int | None = None) -> np.ndarray:
        """Indices of so many images, each once, whose classes come in turn, spread over each class.

        A class that has no more is passed over. Of fewer images than that, all are given. ``most_classes``
        leaves out all but the largest.
        """
        largest = np.argsort(np.negative(self.num_pictures), kind="stable")[:most_classes]
        there = {int(label): self.num_pictures[label] for label in np.sort(largest)}
        num, each = min(num, sum(there.values())), -(-num // len(there))
        while sum(min(each, number) for number in there.values()) < num:
            each += 1
        turns = []
        for label, number in there.items():
            chosen = np.flatnonzero(self.labels == label)[spread(number, each)]
            turns += [(turn, label, index) for turn, index in enumerate(chosen.tolist())]
        return np.array([index for _, _, index in sorted(turns)[:num]], np.int64)


def classes_of(dataset: ImageDataset) -> Classes:
    """The classes of images that are to be trained on by class.

    Raises ``DataError`` where there are none or one only, where an image has none, and where there are too
    many or their names too long for the card of a model.
    """
    where, labels = printable(dataset.place_of_all), dataset.labels
    names = tuple(map(encodable, dataset.class_names))
    if labels is None:
        raise DataError(
            f"the images in {where} have no classes",
            f"Put those of each class into a folder of its own, or see docs/classes.md. {_WITHOUT}",
        )
    counts = np.bincount(labels + 1, minlength=len(names) + 1)
    if counts[0]:
        entry = np.flatnonzero(dataset.records["row"] >= 0)[np.argmin(labels)]
        raise DataError(
            f"{counts[0]:,} of {len(labels):,} images have no class, such as"
            f" {printable(dataset.place(int(entry)))}",
            f"Give them one, or take them away. {_WITHOUT}",
        )
    if np.count_nonzero(counts) < 2:
        raise DataError(f"all images in {where} are of one class, {printable(names[labels[0]])}", _WITHOUT)
    if not counts[1:].all():
        empty = names[int(np.argmin(counts[1:]))]
        raise DataError(f"the class {printable(empty)} has no usable image", f"Take it away. {_WITHOUT}")
    if len(names) > MOST_CLASSES:
        raise DataError(
            f"there are {len(names):,} classes, and a model knows {MOST_CLASSES:,} at most", _WITHOUT
        )
    longest = max(names, key=len)
    if len(longest) > LONGEST_NAME or len(set(names)) < len(names):
        raise DataError(
            f"the names of classes must differ and have at most {LONGEST_NAME} characters; one is"
            f" {printable(longest[:40])}... with {len(longest)}",
            f"Rename them. {_WITHOUT}",
        )
    return Classes(names, np.asarray(labels, np.int64))
