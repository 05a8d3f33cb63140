"""Images that users name: files, folders, archives and arrays, of exactly the kind that a model makes."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ganzfeld.data import ImageDataset, open_images
from ganzfeld.data.decoding.decode import MOST_BYTES, UnusableImage, decode_file
from ganzfeld.data.decoding.preprocessing import Preprocessing
from ganzfeld.data.sources import recognised
from ganzfeld.errors import DataError, UsageError
from ganzfeld.networks import Generator
from ganzfeld.printable import printable
from ganzfeld.progress import CountCallback, silent
from ganzfeld.regular import read_regular

MOST_IMAGES = 1_024
"""The most images of one call; inversion keeps all of them in memory."""
ORDER = 0x50ED
"""The seed of the order in which images are chosen of too many."""

_KINDS = {1: "grey", 3: "colour"}
_TO_FIT = "Scale it to that size, or give --fit to have it cropped and scaled as training images are."


@dataclass(frozen=True)
class NamedImages:
    """uint8 images (N, H, W, C), where each is from, and a name for each that no other has.

    ``classes`` are those of images in folders by class, or with labels of their own; "" where unknown.
    """

    pixels: np.ndarray
    places: tuple[str, ...]
    names: tuple[str, ...]
    classes: tuple[str, ...]


def read_images(
    paths: Sequence[Path],
    generator: Generator,
    *,
    fit: bool = False,
    most: int = MOST_IMAGES,
    progress: CountCallback = silent,
) -> NamedImages:
    """Read images of the size and the channels of a generator's images.

    A path is an image file, or a folder, an archive or an array of images. With ``fit`` images of other sizes
    are cropped and scaled, and grey and colour converted, as for training. Raises ``DataError`` for an image
    of another size or other channels, for one that cannot be read, and if there is none, and ``UsageError``
    for more than ``most``.
    """
    pixels, places, classes = [], [], []
    for path in paths:
        if path.is_dir() or recognised_set(path):
            dataset, where = open_set(path, generator, fit=fit, progress=progress)
            if dataset.num_pictures > most:
                raise UsageError(
                    f"{printable(str(path))} has {dataset.num_pictures:,} images, and at most {most:,} are"
                    " taken at once",
                    "Use several calls, each with some of them.",
                )
            pixels += list(dataset.batch(np.arange(dataset.num_pictures)))
            places += where
            classes += _classes_of(dataset)
        else:
            pixels.append(read_image(path, generator, fit=fit))
            places.append(str(path))
            classes.append("")
        if len(pixels) > most:
            raise UsageError(f"more than {most:,} images at once", "Use several calls.")
    stems = [Path(place).stem or "image" for place in places]
    return NamedImages(np.stack(pixels), tuple(places), _distinct(stems), tuple(classes))


def read_some_images(
    path: Path, generator: Generator, most: int, *, fit: bool = False, progress: CountCallback = silent
) -> tuple[np.ndarray, int]:
    """Read at most ``most`` images of a folder, an archive or an array, chosen at random but always the same.

    Returns uint8 (N, H, W, C), and how many there are. Raises what ``read_images`` raises.
    """
    if not (path.is_dir() or recognised_set(path)):
        return read_image(path, generator, fit=fit)[None], 1
    dataset, _ = open_set(path, generator, fit=fit, progress=progress)
    chosen = np.random.default_rng(ORDER).permutation(dataset.num_pictures)[:most]
    return dataset.batch(np.sort(chosen)), dataset.num_pictures


def recognised_set(path: Path) -> bool:
    """Check whether a path is an archive or an array of images, rather than one image."""
    try:
        return path.is_file() and recognised(path) not in (None, "stack")
    except OSError:
        return False


def read_image(path: Path, generator: Generator, *, fit: bool = False) -> np.ndarray:
    """Read one image file as uint8 (H, W, C); see ``read_images``."""
    shown = printable(str(path))
    try:
        content = read_regular(path, MOST_BYTES)
    except FileNotFoundError:
        raise DataError(f"there is nothing at {shown}") from None
    except OSError as error:
        raise DataError(f"{shown} cannot be read: {error.strerror or error}") from None
    height, width = generator.plan.size
    channels = generator.channels
    try:
        decoded = decode_file(content, Preprocessing(width, height, 1 if channels == 1 else None))
    except UnusableImage as problem:
        raise DataError(f"{shown} cannot be used: {problem}") from None
    _require_kind(shown, (decoded.width, decoded.height), decoded.grey, generator, fit)
    pixels = decoded.pixels
    return np.repeat(pixels, channels, 2) if pixels.shape[2] < channels else pixels


def open_set(
    path: Path,
    generator: Generator,
    *,
    fit: bool = False,
    labels: Path | None = None,
    progress: CountCallback = silent,
) -> tuple[ImageDataset, list[str]]:
    """Open a folder, an archive or an array; return it with the place of each usable image.

    ``labels`` is a table of file names and labels. Raises what ``read_images`` raises, and ``UsageError`` or
    ``DataError`` for a table that is missing, cannot be read or names no image.
    """
    height, width = generator.plan.size
    dataset = open_images(
        path, (width, height), channels=generator.channels, labels=labels, max_bad=0.0, progress=progress
    )
    entries = np.flatnonzero(dataset.records["row"] >= 0)
    places = [dataset.place(int(entry)) for entry in entries]
    for entry, place in zip(entries, places, strict=True):
        record = dataset.records[entry]
        size = int(record["width"]), int(record["height"])
        _require_kind(printable(place), size, bool(record["grey"]), generator, fit)
    return dataset, places


def _classes_of(dataset: ImageDataset) -> list[str]:
    """Return the name of the class of each image of a set, "" where it has none."""
    if dataset.labels is None:
        return [""] * dataset.num_pictures
    return [dataset.class_names[label] if label >= 0 else "" for label in dataset.labels.tolist()]


def _require_kind(shown: str, size: tuple[int, int], is_grey: bool, generator: Generator, fit: bool) -> None:
    """Raise ``DataError`` for an image of another size (width, height) or other channels, unless ``fit``."""
    height, width = generator.plan.size
    if fit:
        return
    if size != (width, height):
        raise DataError(
            f"{shown} is {size[0]}x{size[1]} px, and the model makes images of {width}x{height} px", _TO_FIT
        )
    if is_grey != (generator.channels == 1):
        raise DataError(
            f"{shown} is a {_KINDS[1 if is_grey else 3]} image, and the model makes"
            f" {_KINDS.get(generator.channels, 'other')} images",
            "Convert it, or give --fit to have it converted.",
        )


def _distinct(stems: Sequence[str]) -> tuple[str, ...]:
    """Return the names, of which those that occur before get a number.

    >>> _distinct(["a", "b", "a"])
    ('a', 'b', 'a-2')
    """
    taken: set[str] = set()
    counts: Counter[str] = Counter()
    names = []
    for stem in stems:
        counts[stem] += 1
        name = stem if counts[stem] == 1 else f"{stem}-{counts[stem]}"
        while name in taken:
            counts[stem] += 1
            name = f"{stem}-{counts[stem]}"
        taken.add(name)
        names.append(name)
    return tuple(names)
