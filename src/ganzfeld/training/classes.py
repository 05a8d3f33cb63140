"""The classes of the training images, for recipes whose networks are conditional on them."""

import hashlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ganzfeld.data import ImageDataset
from ganzfeld.data.order import evenly_spaced
from ganzfeld.data.source import encodable
from ganzfeld.errors import DataError
from ganzfeld.model.card import LONGEST_NAME, MOST_CLASSES, ClassCard
from ganzfeld.printable import printable

_WITHOUT = "Leave out classes (--set classes=none) to train on all images alike."


@dataclass(frozen=True)
class Classes:
    """The class ``names``, indexed by label, and the ``labels`` of all images: int64 (num_images,)."""

    names: tuple[str, ...]
    labels: np.ndarray

    @cached_property
    def num_pictures(self) -> list[int]:
        """Number of images of each class."""
        return np.bincount(self.labels, minlength=len(self.names)).tolist()

    @property
    def cards(self) -> tuple[ClassCard, ...]:
        """The entries of the model card about the classes."""
        pairs = zip(self.names, self.num_pictures, strict=True)
        return tuple(ClassCard(name=name, num_pictures=number) for name, number in pairs)

    @cached_property
    def content_hash(self) -> str:
        """SHA-256 of the names and labels."""
        digest = hashlib.sha256("\0".join(self.names).encode())
        digest.update(self.labels.astype("<i8").tobytes())
        return digest.hexdigest()

    def examples(self, num: int, most_classes: int | None = None) -> np.ndarray:
        """Return the indices of ``num`` distinct images that cycle through the classes, int64 (num,).

        The images are spread evenly over each class; a class that runs out is skipped. If there are fewer
        images than ``num``, all are returned. ``most_classes`` keeps only that many of the largest classes.
        """
        largest = np.argsort(np.negative(self.num_pictures), kind="stable")[:most_classes]
        sizes = {int(label): self.num_pictures[label] for label in np.sort(largest)}
        num, num_per_class = min(num, sum(sizes.values())), -(-num // len(sizes))
        while sum(min(num_per_class, size) for size in sizes.values()) < num:
            num_per_class += 1
        turns = []
        for label, size in sizes.items():
            indices = np.flatnonzero(self.labels == label)[evenly_spaced(size, num_per_class)]
            turns += [(turn, label, index) for turn, index in enumerate(indices.tolist())]
        return np.array([index for _, _, index in sorted(turns)[:num]], np.int64)


def classes_of(dataset: ImageDataset) -> Classes:
    """Return the classes of a dataset, for training conditional on them.

    Raises ``DataError`` if there are fewer than two classes, if an image has no class or a class no image, or
    if the classes are too many or their names too long for a model card.
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
            f"Give each of them a class, or remove them. {_WITHOUT}",
        )
    if np.count_nonzero(counts) < 2:
        raise DataError(f"all images in {where} are of one class, {printable(names[labels[0]])}", _WITHOUT)
    if not counts[1:].all():
        empty = names[int(np.argmin(counts[1:]))]
        raise DataError(f"the class {printable(empty)} has no usable image", f"Remove it. {_WITHOUT}")
    if len(names) > MOST_CLASSES:
        raise DataError(
            f"there are {len(names):,} classes, and a model can have at most {MOST_CLASSES:,}", _WITHOUT
        )
    longest = max(names, key=len)
    if len(longest) > LONGEST_NAME or len(set(names)) < len(names):
        raise DataError(
            f"class names must differ and have at most {LONGEST_NAME} characters; the longest is"
            f" {printable(longest[:40])}... with {len(longest)}",
            f"Rename them. {_WITHOUT}",
        )
    return Classes(names, np.asarray(labels, np.int64))
