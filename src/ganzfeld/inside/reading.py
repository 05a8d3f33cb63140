"""The reader of attributes for the images of a run: from its own images, or from images with labels."""

import os
import warnings
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from torch import Tensor

from ganzfeld.data import ImageDataset, open_images
from ganzfeld.errors import DataError, GanzfeldWarning, ResourceError
from ganzfeld.inside.attributes import Reader, fit_reader, known_attributes
from ganzfeld.inside.latent_model import LatentModel
from ganzfeld.progress import CountCallback
from ganzfeld.runs import Run

Location = str | os.PathLike[str]


def open_known_images(
    run: Run, data: Location | None, labels: Location | None, progress: CountCallback
) -> ImageDataset:
    """Open the images of a run, or those in ``data``, at the size of the run, with labels if a file is named.

    Raises ``DataError`` if they cannot be used or have another number of channels, and ``UsageError`` if
    there is no such file.
    """
    metadata = run.metadata
    options: dict[str, Any] = metadata.reading_options(by_class=False)
    if data is not None or labels is not None:
        options = asdict(metadata.preparation) | {"labels": labels}
    dataset = open_images(
        metadata.data if data is None else data, run.recipe.size, **options, progress=progress
    )
    if dataset.channels != metadata.channels:
        kinds = {1: "grey", 3: "colour"}
        raise DataError(
            f"{dataset.place_of_all} holds {kinds[dataset.channels]} images, and the run makes"
            f" {kinds[metadata.channels]} ones",
            "Give images of the run's kind.",
        )
    return dataset


def reader_for(
    run: Run, data: Location | None, labels: Location | None, progress: CountCallback
) -> Reader | None:
    """Fit a reader of what is known of the images; None if nothing is known.

    ``data`` are images with labels, by default those of the run. Raises ``DataError`` if images or labels are
    asked for and nothing is known of them, or too little.
    """
    dataset = open_known_images(run, data, labels, progress)
    progress(0, 1, "fitting a reader of attributes")
    built_in = run.metadata.data is None and data is None
    known = known_attributes(dataset, built_in=built_in)
    if known is None:
        if data is None and labels is None:
            return None
        raise DataError(
            f"the images in {dataset.place_of_all} have no labels",
            "Put those of each class into a folder of its own, or name a table with --labels.",
        )
    reader = fit_reader(dataset, *known)
    progress(1, 1, "fitting a reader of attributes")
    return reader


def reader_if_any(run: Run, progress: CountCallback) -> Reader | None:
    """Fit a reader of what is known of a run's own images; None, with a warning, if they cannot be used."""
    try:
        return reader_for(run, None, None, progress)
    except (DataError, ResourceError) as error:
        warnings.warn(f"attributes are not used: {error.message}", GanzfeldWarning, stacklevel=3)
        return None


def read_images(
    model: LatentModel, reader: Reader, latents: Tensor, label: int | None, progress: CountCallback
) -> np.ndarray:
    """Return the attributes of the images of latents, int64 (n, attributes)."""
    parts, size = [], 512
    for first in range(0, len(latents), size):
        progress(first, len(latents), "reading attributes of generated images")
        parts.append(reader.codes(model.values(latents[first : first + size], label)))
    progress(len(latents), len(latents), "reading attributes of generated images")
    return np.concatenate(parts)


def words_of(reader: Reader, codes: Sequence[int]) -> dict[str, str]:
    """Return the attributes of one image in words, by name."""
    table = reader.table
    return {name: values[code] for name, values, code in zip(table.names, table.values, codes, strict=True)}
