"""Inversion of images that users name, and the files that it writes."""

from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np

from ganzfeld.durable import make_folder
from ganzfeld.errors import DamagedError
from ganzfeld.inside.user_images import read_images
from ganzfeld.inversion import Inversion, invert, require_method
from ganzfeld.inversion.invert import METHODS
from ganzfeld.model import grid, load_model, png
from ganzfeld.networks import Discriminator
from ganzfeld.output import Mark, require_replaceable, write_output
from ganzfeld.progress import CountCallback, counting
from ganzfeld.run_layout import RECIPE
from ganzfeld.runs import open_run

COMPARISON = "comparison.png"
COLUMNS = 16
AMPLIFIED = 4
"""Factor of the differences that a comparison shows."""

__all__ = ["METHODS", "InvertedFiles", "discriminator_of", "invert_files"]


@dataclass(frozen=True)
class InvertedFiles:
    """An inversion, where its images are from, and the files written: latents of each, and one comparison."""

    inversion: Inversion
    places: tuple[str, ...]
    latent_files: tuple[Path, ...]
    comparison: Path
    class_names: tuple[str | None, ...]
    notes: tuple[str, ...]
    images_seen: int
    """How many images the model had been trained on."""


def invert_files(
    run: Path,
    paths: list[Path],
    out: Path,
    *,
    method: str = "fast",
    of: str | None = None,
    fit: bool = False,
    progress: bool | CountCallback | None = True,
) -> InvertedFiles:
    """Invert images into a folder: NAME.npy, float32 (n,), for each, and a comparison of all.

    ``run`` is a run or model folder; ``of`` is the class of all images, searched for each without it; for
    ``fit`` see ``read_images``. Raises what ``read_images`` and ``invert`` raise, and ``UsageError`` if a
    file would be replaced that was not written here.
    """
    require_method(method)
    model = load_model(run)
    model.card.require_images()
    label = None if of is None else model.card.label_of(of)
    report = counting(progress)
    images = read_images(paths, model.generator, fit=fit, progress=report)
    latent_files = tuple(out / f"{name}.npy" for name in images.names)
    for path in latent_files:
        require_replaceable(path, Mark.LATENTS)
    require_replaceable(out / COMPARISON, Mark.INVERSION)
    discriminator, notes = discriminator_of(run)
    inversion = invert(
        model, images.pixels, discriminator=discriminator, labels=label, method=method, progress=report
    )
    make_folder(out)
    for path, latent in zip(latent_files, inversion.latents.numpy(), strict=True):
        write_output(path, npy(latent), Mark.LATENTS)
    write_output(out / COMPARISON, png(comparison_of(inversion)), Mark.INVERSION)
    names: tuple[str | None, ...] = (None,) * len(images.names)
    if inversion.labels is not None:
        names = tuple(model.card.class_names[label] for label in inversion.labels.tolist())
    return InvertedFiles(
        inversion, images.places, latent_files, out / COMPARISON, names, notes, model.card.images_seen
    )


def discriminator_of(run: Path) -> tuple[Discriminator | None, tuple[str, ...]]:
    """Return the discriminator of a run folder, None for a model folder or without checkpoints, and notes."""
    if not (run / RECIPE).is_file():
        return None, ("a model folder has no discriminator: the encoder uses averaged pixels alone",)
    try:
        return open_run(run).discriminator, ()
    except DamagedError as error:
        return None, (f"{error.message}: the encoder uses averaged pixels alone",)


def comparison_of(inversion: Inversion) -> np.ndarray:
    """Arrange originals, reconstructions and amplified differences in three rows, 16 images wide."""
    originals, made = inversion.images, inversion.reconstructions
    differences = np.abs(originals.astype(np.int16) - made) * AMPLIFIED
    differences = differences.clip(0, 255).astype(np.uint8)
    columns = min(COLUMNS, len(originals))
    rows = []
    for first in range(0, len(originals), columns):
        for images in (originals, made, differences):
            part = images[first : first + columns]
            blank = np.full((columns - len(part), *part.shape[1:]), 255, np.uint8)
            rows += [part, blank]
    return grid(np.concatenate(rows), columns)


def npy(array: np.ndarray) -> bytes:
    """Encode an array as the bytes of a ``.npy`` file, in float32."""
    buffer = BytesIO()
    np.save(buffer, array.astype(np.float32), allow_pickle=False)
    return buffer.getvalue()
