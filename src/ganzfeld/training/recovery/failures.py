"""The actions and errors of a run that diverges or lacks memory or disk space."""

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
    """Memory ran out; the hint says how to resume the run."""


def roll_back(trainer: Trainer, run: Run, callback: TrainCallback, why: str) -> None:
    """Go back to the last good checkpoint, or to the beginning, with half the learning rates.

    ``why`` says what was not finite.
    """
    scale, diverged_at = trainer.rate_scale / 2, trainer.images_seen
    checkpoint = run.history.newest(callback.noted)
    if checkpoint is None:
        beginning = start(trainer.recipe, trainer.dataset, trainer.engine, trainer.seed, trainer.ranks)
        checkpoint = capture(beginning, 0.0)
    restore(trainer, checkpoint)
    trainer.stand_at(
        index=trainer.index,
        images_seen=trainer.images_seen,
        # Later horizons are dropped: they were planned for less remaining time.
        horizons=known_at(checkpoint.images_seen, run.metadata.horizons),
        rate_scale=scale,
    )
    run.write_metadata(run.metadata.changed(horizons=trainer.horizons))
    run.forget_after(checkpoint.images_seen, callback.noted)
    text = (
        f"{why} after {diverged_at:,} images: back to {checkpoint.images_seen:,} images,"
        f" with {scale:g} times the recipe's learning rates"
    )
    run.record("rolled back", checkpoint.images_seen, text)
    callback.noted(text)


def diverged(trainer: Trainer, run: Run, why: str) -> TrainingFailed:
    """Return the error of a run that diverged; its hint names the checkpoint to go back to."""
    run.folder.require()
    path, saved = in_shell(run.path), run.history.all()
    slower = "--set generator.optimizer.lr=1e-4 --set discriminator.optimizer.lr=1e-4"
    if saved:
        hint = (
            f"The last good state, at {saved[-1]:,} images, is {run.history.path(saved[-1])}."
            f" Go back to it with lower learning rates: ganzfeld resume {path} --from {saved[-1]} {slower}"
        )
    else:
        hint = f"Nothing had been saved yet. Try lower learning rates: {slower}"
    return TrainingFailed(f"training diverged: {why} after {trainer.images_seen:,} images", hint)


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


def with_resume_hint(error: ResourceError, run: Run) -> ResourceError:
    """Return the error of a run that lacked a resource, with how to resume from its last checkpoint."""
    saved = run.history.all()
    if not saved or isinstance(error, OutOfMemory):
        return error
    resume = f"then resume from {saved[-1]:,} images: ganzfeld resume {in_shell(run.path)}"
    return ResourceError(error.message, f"{error.hint.rstrip('.')}; {resume}")
