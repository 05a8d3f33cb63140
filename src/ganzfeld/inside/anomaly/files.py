"""Anomalies among images that users name, with labels if there are any, and the files written."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ganzfeld.catalogue import did_you_mean
from ganzfeld.data.labels.labelling import label_images
from ganzfeld.data.labels.table import open_table
from ganzfeld.durable import make_folder
from ganzfeld.errors import UsageError
from ganzfeld.inside.anomaly.calibration import num_needed, require_normal
from ganzfeld.inside.anomaly.detection import Anomalies, Settings, detect, opened, require_both_kinds
from ganzfeld.inside.anomaly.sheet import anomaly_sheet
from ganzfeld.inside.inverting import npy
from ganzfeld.inside.user_images import NamedImages, read_images, read_some_images
from ganzfeld.model import png
from ganzfeld.networks import Generator
from ganzfeld.output import TABLES, Mark, require_replaceable, write_output
from ganzfeld.printable import listed, printable
from ganzfeld.progress import CountCallback, counting

SHEET, SCORES, MAPS = "anomaly.png", "scores.csv", "maps.npy"
MOST_IMAGES = 4_096
"""The most images of one call."""
MOST_NORMAL = 1_000
"""The most normal images that are used: more hardly change what is usual."""
MOST_NORMAL_BYTES = 2**29
"""The most memory that residuals of normal images take."""
CALLED_NORMAL = ("normal", "good", "ok", "0")
"""Labels that are taken as normal unless others are named."""


@dataclass(frozen=True)
class KnownLabels:
    """What is known of images: a table that says what they are, and the labels of normal ones."""

    table: Path | None = None
    normal: Sequence[str] = ()


@dataclass(frozen=True)
class AnomalyFiles:
    """Anomalies, where the images are from, their labels ("" if unknown), and the files written."""

    anomalies: Anomalies
    places: tuple[str, ...]
    labels: tuple[str, ...]
    sheet: Path
    scores: Path
    maps: Path
    images_seen: int
    """How many images the model had been trained on."""


NOTHING_KNOWN = KnownLabels()


def anomaly_files(
    run: Path,
    paths: list[Path],
    normal: Path,
    out: Path,
    settings: Settings,
    *,
    known: KnownLabels = NOTHING_KNOWN,
    fit: bool = False,
    progress: bool | CountCallback | None = True,
) -> AnomalyFiles:
    """Score images into a folder: scores.csv, maps.npy (float32 (N, H, W)), and anomaly.png.

    ``run`` is a run or model folder, ``normal`` a set of normal images; without a table of labels those of
    folders by class are used. Raises what ``read_images`` and ``anomalies``
    raise, ``DataError`` for labels that match no image or are all of one kind, and ``UsageError`` if no label
    is that of normal images, or a file would be replaced that was not written here.
    """
    files = (out / SHEET, out / SCORES, out / MAPS)
    for path in files:
        require_replaceable(path, Mark.ANOMALIES)
    table = None if known.table is None else open_table(str(known.table))
    model, discriminator, notes = opened(run)
    report = counting(progress)
    normal_images, more_notes = read_normal(normal, model.generator, settings.rate, fit, report)
    images = read_images(paths, model.generator, fit=fit, most=MOST_IMAGES, progress=report)
    names, label_notes = images.classes, ()
    if table is not None:
        labelling = label_images(table, images.places)
        names, label_notes = tuple(labelling.labels), tuple(labelling.problems)
    truth, truth_notes = truth_of_labels(names, known.normal, is_asked=table is not None)
    if table is not None:
        require_both_kinds(truth, f"the table {table.shown}")
    result = detect(
        model,
        discriminator,
        (images.pixels, normal_images),
        settings,
        truth=[None if value < 0 else bool(value) for value in truth.tolist()],
        notes=(*notes, *more_notes, *label_notes, *truth_notes),
        progress=report,
    )
    make_folder(out)
    write_output(files[0], png(anomaly_sheet(result)), Mark.ANOMALIES)
    write_output(files[1], table_of(result, images, names), Mark.ANOMALIES)
    write_output(files[2], npy(result.maps), Mark.ANOMALIES)
    return AnomalyFiles(result, images.places, names, *files, model.card.images_seen)


def read_normal(
    path: Path, generator: Generator, rate: float, fit: bool, progress: CountCallback
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Read normal images, at most 1,000, or fewer large ones; also return a note if there are more."""
    height, width = generator.plan.size
    most = MOST_NORMAL_BYTES // (4 * height * width * generator.channels)
    most = max(min(most, MOST_NORMAL), num_needed(rate))
    images, num = read_some_images(path, generator, most, fit=fit, progress=progress)
    require_normal(len(images), rate)
    return images, (f"of {num:,} normal images {most:,} are used",) if num > most else ()


def truth_of_labels(
    labels: Sequence[str], normal_labels: Sequence[str], *, is_asked: bool
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return 1 for anomalous, 0 for normal and -1 for unknown images, int8 (N,), and notes.

    ``labels`` are "" where they are unknown. Raises ``UsageError`` if labels of normal images are named that
    do not occur, and if it is unclear which these are although labels are asked for.
    """
    known = sorted({label for label in labels if label})
    unknown = np.full(len(labels), -1, np.int8)
    for name in normal_labels:
        if name not in known:
            hint = did_you_mean(name, known) if known else "Name a table with --labels."
            raise UsageError(f"no image has the label {name!r}", hint)
    if not known:
        return unknown, ()
    normal = list(normal_labels) or [label for label in known if label.casefold() in CALLED_NORMAL]
    if not normal:
        unclear = f"it is unclear which label is that of normal images: {listed(known)}"
        hint = "Name it: --normal-label NAME."
        if is_asked:
            raise UsageError(unclear, hint)
        return unknown, (f"{unclear}. {hint}",)
    return np.array([-1 if not label else int(label not in normal) for label in labels], np.int8), ()


def table_of(result: Anomalies, images: NamedImages, labels: Sequence[str]) -> bytes:
    """Return the scores as the bytes of a CSV table, a row per image in the given order."""
    text = io.StringIO()
    text.write(TABLES[Mark.ANOMALIES] + "\n")
    rows = zip(images.places, result.scores.tolist(), result.is_flagged.tolist(), labels, strict=True)
    writer = csv.writer(text, lineterminator="\n")
    for index, (place, score, is_flagged, label) in enumerate(rows):
        writer.writerow([printable(place), f"{score:.4f}", int(is_flagged), printable(label), index])
    return text.getvalue().encode()
