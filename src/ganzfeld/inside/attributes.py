"""Attributes of images: which are known of the training images, and a reader that names those of others.

The reader is a regression from pixels to attributes, fitted to real images whose attributes are known. How
often it is right is measured on real images that it was not fitted to, and stands beside every figure that
depends on it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from ganzfeld.data import ImageDataset
from ganzfeld.data.sources.faces import attributes_of_faces
from ganzfeld.errors import DataError
from ganzfeld.printable import listed

MOST_FITTED = 2_500
"""The most images that the reader is fitted to: its time grows as the cube of their number."""
MOST_CHECKED = 500
LEAST_IMAGES = 20
"""The fewest images with attributes that a reader is fitted to and checked on."""
MOST_PIXELS = 32 * 32
"""Images are averaged over blocks of pixels until they have no more than this."""
RIDGE = 1e-3
RANDOM = 0x5EE
ONE_SIDED_95 = 1.644854


@dataclass(frozen=True)
class AttributeTable:
    """The attributes of some images.

    ``names`` of the attributes, the names of the ``values`` of each, and ``codes``, int64 (N, attributes):
    the index of each image's value.
    """

    names: tuple[str, ...]
    values: tuple[tuple[str, ...], ...]
    codes: np.ndarray

    @property
    def all_values(self) -> list[str]:
        """All values of all attributes in order, as ``attribute=value``."""
        pairs = zip(self.names, self.values, strict=True)
        return [f"{name}={value}" for name, values in pairs for value in values]

    @property
    def ends(self) -> list[int]:
        """Where the columns of each attribute begin among ``all_values``, and the number of columns."""
        return [0, *np.cumsum([len(values) for values in self.values]).tolist()]

    def part(self, kept: Sequence[int]) -> "AttributeTable":
        """Return the table of some of its attributes, by index."""
        names = tuple(self.names[index] for index in kept)
        values = tuple(self.values[index] for index in kept)
        return AttributeTable(names, values, self.codes[:, list(kept)])

    def indicators(self, codes: np.ndarray) -> Tensor:
        """Return a column for each of ``all_values``, float64 (N, columns): 1 where an image has it."""
        columns = torch.zeros(len(codes), self.ends[-1], dtype=torch.float64)
        rows = torch.arange(len(codes))[:, None]
        columns[rows, torch.from_numpy(codes + np.array(self.ends[:-1]))] = 1
        return columns


def attributes_of_words(words: Sequence[dict[str, str]]) -> AttributeTable:
    """Return the table of attributes given as words by name, one mapping per image."""
    names = tuple(words[0])
    values = tuple(tuple(sorted({image[name] for image in words})) for name in names)
    codes = [[known.index(image[name]) for name, known in zip(names, values, strict=True)] for image in words]
    return AttributeTable(names, values, np.array(codes, np.int64))


def known_attributes(dataset: ImageDataset, *, built_in: bool) -> tuple[AttributeTable, np.ndarray] | None:
    """Return the known attributes of a dataset and the indices of its images that have them.

    The built-in faces have ten. Other images have one, ``class``, if they have classes. None if nothing is
    known of any image.
    """
    if built_in:
        table = attributes_of_words(attributes_of_faces())
        return table, np.arange(len(table.codes))
    if dataset.labels is None:
        return None
    indices = np.flatnonzero(dataset.labels >= 0)
    labels = np.asarray(dataset.labels, np.int64)[indices]
    names, codes = np.unique(labels, return_inverse=True)
    values = tuple(dataset.class_names[label] for label in names)
    return AttributeTable(("class",), (values,), codes[:, None].astype(np.int64)), indices


@dataclass(frozen=True)
class Reader:
    """Names the attributes of images; ``accuracy`` (attributes,) is its share of right answers.

    The answers were checked on ``num_checked`` real images that it was not fitted to. ``left_out`` are the
    attributes that it cannot tell from pixels.
    """

    table: AttributeTable
    kernel: "_Kernel"
    weights: Tensor
    mean: Tensor
    accuracy: np.ndarray
    num_checked: int
    left_out: tuple[str, ...] = ()

    def scores(self, images: Tensor) -> Tensor:
        """Return how much images (N, C, H, W) in [-1, 1] look like each of ``table.all_values``.

        The scores, float64 (N, columns), are about 1 where an image has the value and 0 where it does not.
        """
        parts = [self.kernel(part) @ self.weights + self.mean for part in images.split(1024)]
        return torch.cat(parts) if parts else torch.empty(0, len(self.mean), dtype=torch.float64)

    def codes(self, images: Tensor) -> np.ndarray:
        """Return the most likely value of each attribute, int64 (N, attributes)."""
        return _most_likely(self.scores(images), self.table.ends)

    @cached_property
    def sentence(self) -> str:
        """How far the reader can be trusted, in words."""
        worst = int(self.accuracy.argmin())
        least = f"{self.accuracy[worst]:.0%} ({self.table.names[worst]})"
        without = f"; it cannot tell {listed(self.left_out)}" if self.left_out else ""
        if len(self.accuracy) == 1:
            return f"the reader is right on {least} of {self.num_checked:,} other real images{without}"
        return (
            f"the reader of {len(self.accuracy)} attributes is right on {self.accuracy.mean():.0%} of"
            f" {self.num_checked:,} other real images, at the least {least}{without}"
        )


def fit_reader(dataset: ImageDataset, table: AttributeTable, indices: np.ndarray) -> Reader:
    """Fit a reader to images of a dataset, and check it on others.

    ``indices`` are those of the images in the table. Kernel ridge regression with a quadratic kernel on
    averaged pixels (Saunders et al. 1998): pairs of pixels tell what single ones do not. Raises ``DataError``
    for fewer than 20 images, and if no attribute has two values that can be read from pixels.
    """
    if len(indices) < LEAST_IMAGES:
        raise DataError(
            f"{len(indices)} images with labels are too few: at least {LEAST_IMAGES} are needed",
            "Label more images.",
        )
    if all(len(values) < 2 for values in table.values):
        raise DataError(
            f"all images have the same label, {table.all_values[0]}", "Label images of two kinds or more."
        )
    order = np.random.default_rng(RANDOM).permutation(len(indices))
    num_checked = min(MOST_CHECKED, len(indices) // 5)
    checked, fitted = order[:num_checked], order[num_checked : num_checked + MOST_FITTED]
    images = values_of(dataset.batch(indices[fitted]))
    kernel = _Kernel.of(images)
    indicators = table.indicators(table.codes[fitted])
    mean = indicators.mean(0)
    gram = kernel(images)
    ridge = RIDGE * torch.eye(len(gram), dtype=torch.float64)
    weights = torch.linalg.solve(gram + ridge, indicators - mean)
    scores = kernel(values_of(dataset.batch(indices[checked]))) @ weights + mean
    is_right = _most_likely(scores, table.ends) == table.codes[checked]
    usual = np.array([np.bincount(column).argmax() for column in table.codes.T])
    kept = [
        index
        for index in range(len(table.names))
        if is_better(is_right[:, index], table.codes[checked, index] == usual[index])
    ]
    if not kept:
        most = int(is_right.mean(0).argmax())
        share = (table.codes[checked, most] == usual[most]).mean()
        raise DataError(
            "the labels cannot be read from the pixels: a reader is right on"
            f" {is_right[:, most].mean():.0%} of {num_checked:,} other images, and always naming the most"
            f" frequent one on {share:.0%}",
            "Check that the labels belong to these images, or label more of them.",
        )
    columns = [column for index in kept for column in range(*table.ends[index : index + 2])]
    left_out = tuple(name for index, name in enumerate(table.names) if index not in kept)
    return Reader(
        table.part(kept),
        kernel,
        weights[:, columns],
        mean[columns],
        is_right[:, kept].mean(0),
        num_checked,
        left_out,
    )


def is_better(is_right: np.ndarray, usual_is_right: np.ndarray) -> bool:
    """Check whether answers are better than always naming the most frequent value, beyond chance.

    Compares the images on which only one of the two is right (McNemar 1947), one-sided at 5 %.
    """
    gained, lost = int((is_right & ~usual_is_right).sum()), int((~is_right & usual_is_right).sum())
    return gained - lost > ONE_SIDED_95 * (gained + lost) ** 0.5


def values_of(pixels: np.ndarray) -> Tensor:
    """Return uint8 images (N, H, W, C) as values in [-1, 1], float32 (N, C, H, W)."""
    return torch.from_numpy(np.ascontiguousarray(pixels)).movedim(-1, 1).float() / 127.5 - 1


@dataclass(frozen=True)
class _Kernel:
    """The quadratic kernel of images with the images that a reader is fitted to."""

    fitted: Tensor
    centre: Tensor
    scale: float
    block: int

    @classmethod
    def of(cls, images: Tensor) -> "_Kernel":
        """Return the kernel for these images."""
        block = 1
        while (images.shape[2] // block) * (images.shape[3] // block) > MOST_PIXELS:
            block += 1
        features = _averaged(images, block)
        centre = features.mean(0)
        scale = float((features - centre).square().sum(1).mean().clamp_min(1e-12))
        return cls(features - centre, centre, scale, block)

    def __call__(self, images: Tensor) -> Tensor:
        """Return the kernel, float64 (N, fitted)."""
        features = _averaged(images, self.block) - self.centre
        return (1 + (features @ self.fitted.T).double() / self.scale).square()


def _averaged(images: Tensor, block: int) -> Tensor:
    """Return images averaged over square blocks of pixels, flat: (N, values)."""
    return torch.nn.functional.avg_pool2d(images, block).flatten(1)


def _most_likely(scores: Tensor, ends: Sequence[int]) -> np.ndarray:
    parts = [scores[:, low:high].argmax(1) for low, high in pairwise(ends)]
    return torch.stack(parts, 1).numpy()
