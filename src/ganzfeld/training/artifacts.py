"""The files that a run saves: image grids, models and checkpoints."""

import copy
from collections.abc import Callable

import numpy as np

import ganzfeld
from ganzfeld.data.order import evenly_spaced
from ganzfeld.errors import TrainingFailed
from ganzfeld.model import Card, columns_by_class, grid, images_of_seeds, png, save
from ganzfeld.runs.run import Run
from ganzfeld.training.build import generator_card
from ganzfeld.training.snapshot import capture
from ganzfeld.training.trainer import Trainer

IMAGES_PER_GRID = 64
GRID_COLUMNS = 8
NOT_FINITE = "a loss or a gradient stopped being finite"


def sample_grid(trainer: Trainer) -> bytes:
    """Draw the sample grid of the current model and return it as PNG; its seeds are always the same."""
    prior, num_classes = trainer.recipe.latent.prior, len(trainer.class_cards)
    columns = columns_by_class(GRID_COLUMNS, num_classes)
    seeds = range(columns * (IMAGES_PER_GRID // columns))
    samples = images_of_seeds(trainer.shipped(), seeds, prior=prior, stored=trainer.dataset.stored_as)
    return _drawn(trainer, samples, columns)


def real_grid(trainer: Trainer) -> bytes:
    """Draw a grid of real images as PNG, spread over the dataset or over each of its classes."""
    dataset, classes = trainer.dataset, trainer.classes
    columns = columns_by_class(GRID_COLUMNS, len(classes.names) if classes else 0)
    num_images = columns * (IMAGES_PER_GRID // columns)
    indices = classes.examples(num_images) if classes else evenly_spaced(dataset.num_pictures, num_images)
    return _drawn(trainer, dataset.batch(indices), columns)


def _drawn(trainer: Trainer, items: np.ndarray, columns: int) -> bytes:
    """Draw stored items in a grid, as people look at their kind of data."""
    dataset = trainer.dataset
    return png(grid(dataset.kind.view(items, dataset.scale), columns))


def model_card(trainer: Trainer) -> Card:
    """Return the model card of the current model."""
    return Card(
        ganzfeld=ganzfeld.__version__,
        generator=generator_card(trainer.recipe, trainer.dataset.channels, len(trainer.class_cards)),
        prior=trainer.recipe.latent.prior,
        recipe=trainer.recipe.name,
        data=trainer.dataset.name,
        images_seen=trainer.images_seen,
        seed=trainer.seed,
        classes=trainer.class_cards,
        kind=trainer.recipe.kind,
        dtype=trainer.dataset.manifest.dtype,  # pyright: ignore[reportArgumentType]  checked by the card
        scale=trainer.dataset.manifest.scale,
    )


def snapshot(
    trainer: Trainer, run: Run, seconds: float, best_at: int | None, *, last: bool = False
) -> Callable[[], None]:
    """Copy the current state and model; return a function that writes the copies to disk.

    ``best_at`` is the number of images seen by the best model so far, whose checkpoint is kept. With
    ``last``, no step follows before the copies are written. Raises ``TrainingFailed`` if a number is not
    finite.
    """
    checkpoint = capture(trainer, seconds)
    generator_ema = None if last else copy.deepcopy(trainer.gan.generator_ema)
    card = model_card(trainer)
    if not trainer.all_finite:
        raise TrainingFailed(NOT_FINITE)

    def write() -> None:
        checkpoint.require_finite()
        run.history.write(checkpoint, best_at)
        save(run.folder / "model" / "last", trainer.shipped(generator_ema), card)

    return write
