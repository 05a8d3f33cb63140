"""Evaluate a run on another kind of data than images: its own metrics, beside the baselines of its field."""

import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ganzfeld.data import ImageDataset, open_images
from ganzfeld.errors import DataError, ResourceError
from ganzfeld.metrics import LEAST, Measurement
from ganzfeld.metrics.extraction import some_of
from ganzfeld.metrics.item_measurement import chosen_of, measure_items, winners
from ganzfeld.metrics.items import ItemComparison
from ganzfeld.model import images_of_seeds, labels_as_in_data
from ganzfeld.progress import CountCallback
from ganzfeld.runs.run import Run
from ganzfeld.system import ran_out_of_memory

MOST_FITTED = 20_000
MOST_VALUES = 2**24
"""The most training items, and the most values of them, that baselines are fitted to."""

SEEDS = 2**20
"""Seeds between those of two evaluations, as for images."""


@dataclass(frozen=True)
class ItemEvaluation:
    """What was measured of a model after ``images_seen`` items, with notes on it."""

    images_seen: int
    measurements: tuple[Measurement, ...]
    notes: tuple[str, ...]


def evaluate_items(
    run: Run, data: str | Path | None, num: int, only: list[str], seed: int, progress: CountCallback
) -> ItemEvaluation:
    """Measure ``num`` generated items against as many real ones: those in ``data``, or the training items.

    Baselines are fitted to the training items. Raises ``UsageError`` for metrics of another kind,
    ``DataError`` for data that do not fit, and ``ResourceError`` if memory runs out.
    """
    kind, metadata = run.recipe.kind, run.metadata
    chosen_of(kind, only)
    model = run.model
    options = metadata.reading_options(by_class=False)
    training = open_images(metadata.data, run.recipe.size, **options, progress=progress)
    other: dict[str, Any] = asdict(metadata.preparation) | {"labels": None}
    real = training if data is None else open_images(data, run.recipe.size, **other, progress=progress)
    for dataset in (training, real):
        _require_fit(dataset, training, run)
    notes = [] if data is None else [*real.notes]
    if training.content_hash != metadata.content_hash:
        notes.append(f"the data in {training.place_of_all} are not those that the run was trained on")
    if real.num_pictures < num:
        notes.append(f"{real.place_of_all} has only {real.num_pictures:,} {kind}s: all of them are used")
    num_fitted = max(LEAST, min(MOST_FITTED, MOST_VALUES // (math.prod(real.size) * real.stored_channels)))
    card, seeds = model.card, range(seed * SEEDS, seed * SEEDS + num)
    progress(0, 1, "making items")
    try:
        comparison = ItemComparison(
            kind,
            images_of_seeds(
                model.generator,
                seeds,
                prior=card.prior,
                labels=labels_as_in_data(seeds, card.images_by_class),
                stored=card.stored,
            ),
            real.batch(some_of(real.num_pictures, num, seed)),
            training.batch(some_of(training.num_pictures, num_fitted, seed)),
            card.scale.get("letters", ""),
            seed,
        )
        measurements = measure_items(comparison, only, progress)
    except (MemoryError, RuntimeError) as error:
        if not ran_out_of_memory(error):
            raise
        raise ResourceError(
            f"memory ran out with {num:,} {kind}s on each side", "Give a smaller --n."
        ) from error
    return ItemEvaluation(card.images_seen, tuple(measurements), (*notes, *winners(measurements)))


def _require_fit(dataset: ImageDataset, training: ImageDataset, run: Run) -> None:
    """Raise ``DataError`` for items that are too few, or not of the channels or letters of the run."""
    place, kind = dataset.place_of_all, run.recipe.kind
    if dataset.num_pictures < LEAST:
        raise DataError(
            f"{place} has {dataset.num_pictures} {kind}s, and an evaluation needs {LEAST}",
            "Fewer say nothing about a generator; 1,000 are usual.",
        )
    letters = run.model.card.scale.get("letters")
    if dataset.manifest.facts.get("letters") != letters:
        raise DataError(
            f"{place} holds the letters {dataset.manifest.facts.get('letters')}, and the run makes {letters}"
        )
    if dataset.stored_channels != training.stored_channels:
        raise DataError(
            f"{place} has {dataset.stored_channels} channels, and the data of the run"
            f" {training.stored_channels}"
        )
