"""What a training leaves on the way: sample grids, models and checkpoints."""

import copy
from collections.abc import Callable

import ganzfeld
from ganzfeld.errors import TrainingFailed
from ganzfeld.model import Card, columns_by_class, grid, images_of_seeds, png, save
from ganzfeld.runs.run import Run
from ganzfeld.training.build import generator_card
from ganzfeld.training.snapshot import capture
from ganzfeld.training.trainer import Trainer

NUM_ON_A_SHEET = 64
SHEET_COLUMNS = 8
NOT_FINITE = "a loss or a gradient stopped being finite"


def sample_grid(trainer: Trainer) -> bytes:
    """Draw the sample grid of the model as it stands, as PNG: the same seeds at any time."""
    prior, num_classes = trainer.recipe.latent.prior, len(trainer.class_cards)
    columns = columns_by_class(SHEET_COLUMNS, num_classes)
    seeds = range(columns * (NUM_ON_A_SHEET // columns))
    return png(grid(images_of_seeds(trainer.shipped(), seeds, prior=prior), columns))


def model_card(trainer: Trainer) -> Card:
    """Return the card of the model as it stands."""
    return Card(
        ganzfeld=ganzfeld.__version__,
        generator=generator_card(trainer.recipe, trainer.dataset.channels, len(trainer.class_cards)),
        prior=trainer.recipe.latent.prior,
        recipe=trainer.recipe.name,
        data=trainer.dataset.name,
        images_seen=trainer.images_seen,
        seed=trainer.seed,
        classes=trainer.class_cards,
    )


def snapshot(
    trainer: Trainer, run: Run, seconds: float, best_at: int | None, *, last: bool = False
) -> Callable[[], None]:
    """Copy the state and the model of this moment; return what is left to do to have them on disk.

    ``best_at`` are the images seen by the best model so far, whose checkpoint stays. ``last``: no step is
    made before that is done. Raises ``TrainingFailed`` where a number is not finite.
    """
    checkpoint = capture(trainer, seconds)
    average = None if last else copy.deepcopy(trainer.gan.generator_ema)
    card = model_card(trainer)
    if not trainer.all_finite:
        raise TrainingFailed(NOT_FINITE)

    def write() -> None:
        checkpoint.require_finite()
        run.history.write(checkpoint, best_at)
        save(run.folder / "model" / "last", trainer.shipped(average), card)

    return write
