"""Begin a run, continue one, or fork one. Each yields a loop that is ready to train.

The run is locked for writing while the loop is in use; see ``Run.writing``.
"""

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ganzfeld.compute.distributed import ALONE, Ranks
from ganzfeld.data import ImageDataset
from ganzfeld.data.check.survey import Survey, survey
from ganzfeld.durable import make_folder
from ganzfeld.errors import DamagedError, UsageError
from ganzfeld.launch import launch
from ganzfeld.model.files import WEIGHTS, require_openable
from ganzfeld.option_values import absolute
from ganzfeld.options import PreparationOptions, ResumeOptions, values_of
from ganzfeld.printable import in_shell, printable
from ganzfeld.recipes import Recipe, changes, resolve
from ganzfeld.regular import read_regular
from ganzfeld.run_layout import RECIPE, is_written
from ganzfeld.runs import Run
from ganzfeld.runs.budget import Budget
from ganzfeld.runs.checkpoint import Checkpoint
from ganzfeld.runs.journal import JOURNAL, copy_journal
from ganzfeld.runs.metadata import RunMetadata, timestamp
from ganzfeld.runs.opening import create_run, run_begun_by
from ganzfeld.runs.report.report import LARGEST_GRID
from ganzfeld.runs.schedule import Horizon, known_at, progress_of
from ganzfeld.training.artifacts import real_grid
from ganzfeld.training.build import start
from ganzfeld.training.callbacks import TrainCallback
from ganzfeld.training.exactness import find_differences, refuse
from ganzfeld.training.loop import Loop
from ganzfeld.training.overrides import Overrides, is_finished, is_over
from ganzfeld.training.setup import ResolvedOptions, require_room, startup_notes, summary
from ganzfeld.training.snapshot import restore
from ganzfeld.training.trainer import Trainer
from ganzfeld.training.tuning.routes import route_of

BUILT_IN = "faces"

Clock = Callable[[], float]
"""Returns the current time in seconds."""


@contextlib.contextmanager
def begin(
    data: str | Path | None,
    resolved: ResolvedOptions,
    preparation: PreparationOptions,
    callback: TrainCallback,
    ranks: Ranks = ALONE,
) -> Iterator[Loop]:
    """Begin a run in a new folder and yield its loop; see ``train``."""
    out = Path(resolved.options.out)
    require_openable(out.resolve())
    make_folder(out)
    trainer = resolved.build(data, preparation, callback, ranks)
    require_room(out, trainer)
    run = create_run(out, trainer.dataset.name)
    with run.writing():
        surveyed = survey(trainer.dataset)
        write_beginning(run, data, trainer, resolved, preparation, surveyed)
        callback.started(run, summary(trainer))
        for note in [*_notes_on_place(run, data), *startup_notes(trainer, surveyed)]:
            callback.noted(note)
        yield Loop(trainer, run, resolved.budget, callback)


def continue_run(
    run: Run, overrides: Overrides, callback: TrainCallback, clock: Clock = time.perf_counter
) -> Run:
    """Train a run from its current position to its end; see ``resume``. A finished run is not changed."""
    run.require_readable()
    if is_finished(run, overrides):
        callback.noted(f"{run.path} is finished: nothing to do")
        return run
    with _continue(run, overrides, callback, clock) as loop:
        loop.go()
    return run


def continue_after_restart(run: Run, ranks: Ranks, callback: TrainCallback) -> Run:
    """Continue a run in processes that torchrun restarted; like ``resume``, on rank 0 alone.

    The run continues as exactly as possible. Another number of processes is recorded and is no error, since
    the user has allowed the number to change.
    """
    inexact = run.metadata.circumstances.ranks != ranks.world_size
    return continue_run(run, Overrides(ResumeOptions(inexact=inexact), ranks), callback)


def find_run_of_launch(out: Path, besides: Run | None = None) -> Run | None:
    """Return the run that this launch began in the folder ``out`` before a restart; None if there is none.

    ``besides`` is a run that does not count.
    """
    this = launch()
    run = run_begun_by(this.name, out) if this.name and this.restarts else None
    return None if run is None or (besides and run.path == besides.path) else run


def fork(
    old: Run,
    at: int,
    settings: Mapping[str, Any] | Sequence[str],
    overrides: Overrides,
    callback: TrainCallback,
) -> Run:
    """Fork a run at ``at`` images seen (0: the beginning) and train the fork to its end; see ``resume``."""
    with _fork(old, at, settings, overrides, callback) as loop:
        loop.go()
    return loop.run


@contextlib.contextmanager
def _continue(run: Run, overrides: Overrides, callback: TrainCallback, clock: Clock) -> Iterator[Loop]:
    """Resume a run from its newest checkpoint and yield its loop."""
    metadata, recipe = run.metadata, run.recipe
    budget = overrides.budget(metadata)
    with run.writing():
        _tidy(run)
        metadata = run.metadata  # another process may have changed it before the lock was taken
        over = is_over(run, overrides)
        checkpoint = run.history.newest(callback.noted)
        forked = any(event.kind == "forked" and event.images_seen for event in metadata.events)
        if checkpoint is None and forked:
            raise DamagedError(f"{run.path} was forked and has lost its checkpoint", "Fork it again.")
        if checkpoint is None and (run.path / "model" / "last" / WEIGHTS).exists():
            # The model is written after a checkpoint, so there was one.
            raise DamagedError(
                f"{run.path} has lost its checkpoints, and beginning it again would overwrite its model",
                f"Begin again in a new run: ganzfeld resume {in_shell(run.path)} --from 0",
            )
        trainer = trainer_of(metadata, recipe, checkpoint, overrides, callback)
        differences = find_differences(metadata, checkpoint, trainer)
        if not overrides.options.inexact:
            refuse(differences)
        if checkpoint is not None:
            restore(trainer, checkpoint)
        require_room(run.path, trainer)
        _plan(metadata, overrides, checkpoint, trainer, exactly=not differences)
        run.write_metadata(_updated_metadata(metadata, overrides, budget, trainer))
        text = f"resumed at {trainer.images_seen:,} images"
        run.record(
            "resumed",
            trainer.images_seen,
            "; ".join([text, *(difference.what for difference in differences)]),
        )
        if over and (stop := metadata.stopped):  # recorded again, in case this process is interrupted too
            run.record("stopped", stop.images_seen, stop.what)
        run.forget_after(trainer.images_seen, callback.noted)
        yield _loop(trainer, run, budget, callback, checkpoint, clock, over=over)


@contextlib.contextmanager
def _fork(
    old: Run,
    at: int,
    settings: Mapping[str, Any] | Sequence[str],
    overrides: Overrides,
    callback: TrainCallback,
) -> Iterator[Loop]:
    """Begin a new run from a checkpoint of an old one, or from 0, and yield its loop."""
    checkpoint = _checkpoint_at(old, at)
    before = checkpoint.card.recipe if checkpoint else old.recipe
    metadata, recipe = old.metadata, resolve(before, settings)
    budget = overrides.budget(metadata)
    if checkpoint and budget.spent(at, checkpoint.card.position.seconds):
        raise UsageError(
            f"the budget of {old.path} ends at or before {at:,} images",
            "Give the new run its own end: --images N or --minutes M, counted from the beginning.",
        )
    trainer = trainer_of(metadata, recipe, checkpoint, overrides, callback)
    beginning = _with_recipe(checkpoint, recipe) if checkpoint else None
    differences = find_differences(metadata, beginning, trainer)
    if not overrides.options.inexact:
        refuse(differences)
    if beginning:
        restore(trainer, beginning)
    elif recipe != before:  # the networks may differ
        trainer.take(route_of(metadata.route.parts, trainer, callback.preparing))
    require_room(old.path.parent, trainer)
    if beginning:
        _plan(metadata, overrides, beginning, trainer, exactly=not differences and recipe == before)
    run = create_run(old.path.parent, metadata.name)
    with run.writing():
        run.write_metadata(
            _updated_metadata(metadata, overrides, budget, trainer).changed(
                route=trainer.route,
                started=timestamp(),
                launch=launch().name,
                events=(),
                best=None,
                final=None,
                trials=overrides.trials,
            )
        )
        changed = changes(recipe, since=before)
        text = f"forked from {old.path} at {at:,} images" + (f" with {' '.join(changed)}" if changed else "")
        run.record("forked", at, "; ".join([text, *(difference.what for difference in differences)]))
        if beginning:
            _copy_journal_and_grids(old, run, at, callback.noted)
            run.history.write(beginning)
        # The recipe makes a folder a run. It is written last, so that a kill before leaves no incomplete run.
        run.folder.write_json(RECIPE, recipe.model_dump(mode="json"))
        yield _loop(trainer, run, budget, callback, checkpoint, time.perf_counter)


def trainer_of(
    metadata: RunMetadata,
    recipe: Recipe,
    checkpoint: Checkpoint | None,
    overrides: Overrides,
    callback: TrainCallback,
) -> Trainer:
    """Build the trainer of a run at its beginning, on the route that the run took."""
    engine = overrides.engine(checkpoint.card.circumstances if checkpoint else metadata.circumstances)
    overrides.ranks.require(recipe.batch, engine.device)
    engine = replace(engine, channels_last=metadata.route.channels_last)
    dataset = overrides.dataset(metadata, recipe, callback)
    trainer = start(recipe, dataset, engine, metadata.seed, overrides.ranks)
    trainer.take(metadata.route)
    return trainer


def _plan(
    metadata: RunMetadata,
    overrides: Overrides,
    checkpoint: Checkpoint | None,
    trainer: Trainer,
    *,
    exactly: bool,
) -> None:
    """Set the horizons of the trainer; with a new end, add a horizon that counts from the current position.

    If the run continues ``exactly``, later plans of the run are repeated. Otherwise its speed may differ, and
    it is planned again.
    """
    budget, seen = overrides.budget(metadata), trainer.images_seen
    trainer.set_horizons(metadata.horizons if exactly else known_at(seen, metadata.horizons))
    if (budget.minutes, budget.images) == (metadata.minutes, metadata.images):
        return
    seconds = checkpoint.card.position.seconds if checkpoint else 0.0
    images = budget.horizon(seen, seconds, seen / seconds if seconds else 0.0)
    if images is None:  # the speed is unknown: the loop plans as it does for a new run
        trainer.set_horizons(())
        return
    before = tuple(horizon for horizon in metadata.horizons if horizon.since < seen)
    reached = progress_of(seen, before) if overrides.keeps_progress else 1.0
    if reached == 1.0:  # the schedule was at its end, or continues from where a longer one would be
        reached = None if budget.minutes is None else min(1.0, seen / images)
    trainer.set_horizons((*before, Horizon(seen, images, reached)))


def _updated_metadata(
    metadata: RunMetadata, overrides: Overrides, budget: Budget, trainer: Trainer
) -> RunMetadata:
    """Return the metadata with the values that hold after resuming."""
    dataset = trainer.dataset
    new_data = overrides.options.data
    return metadata.changed(
        data=metadata.data if new_data is None else str(Path(new_data).absolute()),
        preparation=metadata.with_labels_at(overrides.options.labels).preparation,
        num_pictures=dataset.num_pictures,
        content_hash=dataset.content_hash,
        classes_hash=trainer.classes_hash,
        class_names=tuple(card.name for card in trainer.class_cards),
        num_unusable=len(dataset.unusable),
        num_duplicates=(
            metadata.num_duplicates
            if dataset.content_hash == metadata.content_hash
            else survey(dataset).num_redundant
        ),
        minutes=budget.minutes,
        images=budget.images,
        horizons=trainer.horizons,
        circumstances=trainer.circumstances,
    )


def _loop(
    trainer: Trainer,
    run: Run,
    budget: Budget,
    callback: TrainCallback,
    checkpoint: Checkpoint | None,
    clock: Clock,
    *,
    over: bool = False,
) -> Loop:
    if not (run.path / "reals.png").exists():
        _write_real_grid(run, trainer)
    callback.started(run, summary(trainer))
    callback.noted(run.metadata.beginning)
    seconds = checkpoint.card.position.seconds if checkpoint else 0.0
    return Loop(trainer, run, budget, callback, seconds, over=over, clock=clock)


def _checkpoint_at(run: Run, images_seen: int) -> Checkpoint | None:
    """Read the checkpoint at ``images_seen``; return None for 0. Raise ``UsageError`` if there is none."""
    saved = run.history.all()
    if images_seen == 0:  # even if a checkpoint was saved before the first step: the networks may change
        return None
    if images_seen not in saved:
        numbers = ", ".join(map(str, [0, *saved]))
        raise UsageError(f"{run.path} has no checkpoint at {images_seen} images", f"There are: {numbers}.")
    return run.history.read(images_seen)


def _with_recipe(checkpoint: Checkpoint, recipe: Recipe) -> Checkpoint:
    """Return the checkpoint as the beginning of a run with another recipe."""
    return replace(checkpoint, card=checkpoint.card.model_copy(update={"recipe": recipe}))


def _copy_journal_and_grids(old: Run, run: Run, images_seen: int, noted: Callable[[str], None]) -> None:
    """Copy the journal and sample grids up to ``images_seen``; ``noted`` gets the unreadable grids."""
    copy_journal(old.path / JOURNAL, run.folder, images_seen)
    for file in old.sample_files:
        if int(file.stem) <= images_seen:
            try:
                (run.folder / "samples").write_bytes(file.name, read_regular(file, LARGEST_GRID))
            except OSError as error:
                noted(f"left out {printable(str(file))}: {error.strerror}")


def _tidy(run: Run) -> None:
    """Remove the unfinished files of a process that was killed."""
    run.history.tidy()
    for folder in (run.folder, *run.inner_folders):
        folder.remove_unfinished(is_written)


def _notes_on_place(run: Run, data: str | Path | None) -> list[str]:
    """Return a note if the run folder lies inside its own data."""
    if data is None or data == BUILT_IN or not run.path.is_relative_to(Path(data).expanduser().resolve()):
        return []
    return [f"{run.path} lies inside {data}: run folders are left out when images are read from there"]


def write_beginning(
    run: Run,
    data: str | Path | None,
    trainer: Trainer,
    resolved: ResolvedOptions,
    preparation: PreparationOptions,
    surveyed: Survey,
) -> None:
    """Write the files of a run before its first step; the recipe comes last and makes the folder a run."""
    run.write_metadata(_metadata_of(data, trainer, resolved, preparation, surveyed))
    _write_real_grid(run, trainer)
    run.folder.write_json(RECIPE, trainer.recipe.model_dump(mode="json"))


def _write_real_grid(run: Run, trainer: Trainer) -> None:
    run.folder.write_bytes("reals.png", real_grid(trainer))


def _resolve_preparation(options: PreparationOptions, dataset: ImageDataset) -> PreparationOptions:
    """Return the options with the value range of the images and an absolute path of the labels."""
    return replace(options, range=dataset.range, labels=options.labels and absolute(options.labels))


def _metadata_of(
    data: str | Path | None,
    trainer: Trainer,
    resolved: ResolvedOptions,
    preparation: PreparationOptions,
    surveyed: Survey,
) -> RunMetadata:
    dataset = trainer.dataset
    options = values_of(resolved.options, RunMetadata.model_fields.keys())
    values = {
        "data": None if data is None or data == BUILT_IN else str(Path(data).absolute()),
        "name": dataset.name,
        "num_pictures": dataset.num_pictures,
        "channels": dataset.channels,
        "content_hash": dataset.content_hash,
        "classes_hash": trainer.classes_hash,
        "class_names": tuple(card.name for card in trainer.class_cards),
        "credit": dataset.credit,
        "num_unusable": len(dataset.unusable),
        "num_duplicates": surveyed.num_redundant,
        "preparation": _resolve_preparation(preparation, dataset),
        "minutes": resolved.budget.minutes,
        "images": resolved.budget.images,
        "horizons": (),
        "route": trainer.route,
        "started": timestamp(),
        "launch": launch().name,
        "circumstances": trainer.circumstances,
        "events": (),
    }
    return RunMetadata(**(options | values))
