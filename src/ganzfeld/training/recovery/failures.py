"""What is done, and said, when a training cannot go on as it was: it diverged, or wants memory or room."""

from ganzfeld.errors import ResourceError, TrainingFailed
from ganzfeld.printable import in_shell
from ganzfeld.runs.run import Run
from ganzfeld.runs.schedule import known_at
from ganzfeld.training.build import start
from ganzfeld.training.callbacks import TrainCallback
from ganzfeld.training.recovery.memory import advice_on_batch
from ganzfeld.training.snapshot import capture, restore
from ganzfeld.training.trainer import Trainer


class OutOfMemory(ResourceError):
    """Memory ran out; the hint says how the run can go on."""


def roll_back(trainer: Trainer, run: Run, callback: TrainCallback, why: str) -> None:
    """Go back to the last good checkpoint, or to the beginning, with half the learning rates."""
    scale, diverged_at = trainer.rate_scale / 2, trainer.images_seen
    good = run.history.newest(callback.noted)
    if good is None:
        anew = start(trainer.recipe, trainer.dataset, trainer.engine, trainer.seed, trainer.ranks)
        good = capture(anew, 0.0)
    restore(trainer, good)
    trainer.stand_at(
        index=trainer.index,
        images_seen=trainer.images_seen,
        # What was planned later was planned with less time to go.
        horizons=known_at(good.images_seen, run.metadata.horizons),
        rate_scale=scale,
    )
    run.write_metadata(run.metadata.changed(horizons=trainer.horizons))
    run.forget_after(good.images_seen, callback.noted)
    text = (
        f"{why} after {diverged_at:,} images: back to {good.images_seen:,} images,"
        f" with {scale:g} times the recipe's learning rates"
    )
    run.record("rolled back", good.images_seen, text)
    callback.noted(text)


def diverged(trainer: Trainer, run: Run, why: str) -> TrainingFailed:
    """Return the error of a training that diverged, with where to go back to."""
    run.folder.require()
    place, saved = in_shell(run.path), run.history.all()
    slower = "--set generator.optimizer.lr=1e-4 --set discriminator.optimizer.lr=1e-4"
    if saved:
        kept = (
            f"The last good state, at {saved[-1]:,} images, is {run.history.path(saved[-1])}."
            f" Go back to it with lower learning rates: ganzfeld resume {place} --from {saved[-1]} {slower}"
        )
    else:
        kept = f"Nothing had been saved yet. Try lower learning rates: {slower}"
    return TrainingFailed(f"training diverged: {why} after {trainer.images_seen:,} images", kept)


def out_of_memory(trainer: Trainer, run: Run) -> OutOfMemory:
    """Find the batch that would have fitted, and return the error that names it."""
    run.folder.require()
    saved = run.history.all()
    what = f"a batch of {trainer.recipe.batch} after {trainer.images_seen:,} images"
    state = f"The state at {saved[-1]:,} images is saved" if saved else "Nothing was trained yet"
    return OutOfMemory(
        f"memory ran out with {what}; {advice_on_batch(trainer, run.path)}",
        f"{state}. With more memory free: ganzfeld resume {in_shell(run.path)}",
    )


def with_way_on(error: ResourceError, run: Run) -> ResourceError:
    """Return the error of a training that wanted a resource, with how what was saved can go on."""
    saved = run.history.all()
    if not saved or isinstance(error, OutOfMemory):
        return error
    go_on = f"then go on from {saved[-1]:,} images: ganzfeld resume {in_shell(run.path)}"
    return ResourceError(error.message, f"{error.hint.rstrip('.')}; {go_on}")
