"""Images from which features are taken, read as they are needed: those of a run, or others of its kind."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ganzfeld.catalogue import did_you_mean
from ganzfeld.data import ImageDataset
from ganzfeld.errors import DataError, UsageError
from ganzfeld.inside.attributes import known_attributes
from ganzfeld.inside.reading import open_known_images
from ganzfeld.inside.user_images import open_set, read_images, recognised_set
from ganzfeld.printable import printable
from ganzfeld.progress import CountCallback
from ganzfeld.runs import Run

BATCH = 256
CLASSES = "classes"
"""The word for the labels that images have by themselves: folders by class, or those in an array file."""


@dataclass(frozen=True)
class ImageSet:
    """Images of the size and the channels of a run.

    ``batch`` returns the images with some indices, uint8 (n, H, W, C); ``places`` says where each is from.
    ``dataset`` is None for single files, which have no labels. ``built_in``: they are the built-in faces.
    """

    num: int
    batch: Callable[[np.ndarray], np.ndarray]
    places: Sequence[str]
    dataset: ImageDataset | None = None
    built_in: bool = False

    def batches(self, indices: np.ndarray, progress: CountCallback, what: str) -> Iterator[np.ndarray]:
        """Yield the images with these indices in order, up to 256 at once."""
        for first in range(0, len(indices), BATCH):
            progress(first, len(indices), what)
            yield self.batch(indices[first : first + BATCH])
        progress(len(indices), len(indices), what)


def image_set(
    run: Run,
    images: Sequence[Path],
    progress: CountCallback,
    *,
    labels: Path | None = None,
    fit: bool = False,
) -> ImageSet:
    """Open images at given paths, or without any those that a run was trained on.

    ``labels`` is a table of file names and labels, for one folder, archive or array. Raises what
    ``read_images`` and ``open_images`` raise.
    """
    if not images:
        dataset = open_known_images(run, None, labels, progress)
        entries = np.flatnonzero(dataset.records["row"] >= 0)
        places = [dataset.place(int(entry)) for entry in entries]
        return ImageSet(len(places), dataset.batch, places, dataset, run.metadata.data is None)
    if len(images) == 1 and (images[0].is_dir() or recognised_set(images[0])):
        dataset, places = open_set(images[0], run.model.generator, fit=fit, labels=labels, progress=progress)
        return ImageSet(len(places), dataset.batch, places, dataset)
    if labels is not None:
        raise UsageError(
            "a table of labels is for the images of one folder, archive or array",
            "Name one, or none for the images of the run.",
        )
    named = read_images(images, run.model.generator, fit=fit, progress=progress)
    return ImageSet(len(named.places), lambda indices: named.pixels[indices], named.places)


def is_table(labels: str) -> bool:
    """Check whether labels are named by the path of a table, rather than by a word."""
    return bool(Path(labels).suffix) or "/" in labels or Path(labels).is_file()


def labels_of(images: ImageSet, labels: str) -> tuple[str, tuple[str, ...], np.ndarray, np.ndarray]:
    """Return the name of an attribute, its values, its codes (n,), and the indices (n,) of images with it.

    ``labels`` is ``classes``, an attribute of the built-in faces, or the path of the table with which the
    images were opened. Raises ``UsageError`` for an unknown word, and ``DataError`` for images without labels
    and for labels that are all the same.
    """
    known = None
    if images.dataset is not None:
        known = known_attributes(images.dataset, built_in=images.built_in and not is_table(labels))
    if known is None or not len(known[1]):
        raise DataError(
            "the images have no labels",
            "Put those of each class into a folder of its own, or name a table (CSV).",
        )
    table, indices = known
    word = "class" if is_table(labels) or labels == CLASSES else labels
    if word not in table.names:
        words = [CLASSES if name == "class" else name for name in table.names]
        raise UsageError(f"unknown labels {printable(labels)!r}", did_you_mean(labels, words))
    column = table.names.index(word)
    codes = table.codes[:, column]
    values = table.values[column]
    if len(values) == 1:
        raise DataError(
            f"all images have the same label, {printable(values[0])}", "Label images of two kinds or more."
        )
    return word, values, codes, indices
