"""The ways into a training: begin a run, continue one, fork one. Each gives the loop, ready to go.

The run is held for writing as long as the loop is; see ``Run.writing``.
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
from ganzfeld.data.order import spread
from ganzfeld.durable import make_folder
from ganzfeld.errors import DamagedError, UsageError
from ganzfeld.launch import launch
from ganzfeld.model import columns_by_class, grid, png
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
from ganzfeld.runs.report.report import LARGEST_GRID
from ganzfeld.runs.run import create_run, run_begun_by
from ganzfeld.runs.schedule import Horizon, known_at, progress_of
from ganzfeld.training.artifacts import NUM_ON_A_SHEET, SHEET_COLUMNS
from ganzfeld.training.build import start
from ganzfeld.training.callbacks import TrainCallback
from ganzfeld.training.exactness import differences, refuse
from ganzfeld.training.loop import Loop
from ganzfeld.training.overrides import Overrides, is_finished, is_over
from ganzfeld.training.setup import ResolvedOptions, require_room, summary, what_to_know
from ganzfeld.training.snapshot import restore
from ganzfeld.training.trainer import Trainer
from ganzfeld.training.tuning import route_of

BUILT_IN = "faces"

Clock = Callable[[], float]
"""Tells seconds."""


@contextlib.contextmanager
def begin(
    data: str | Path | None,
    resolved: ResolvedOptions,
    preparation: PreparationOptions,
    callback: TrainCallback,
    ranks: Ranks = ALONE,
) -> Iterator[Loop]:
    """Begin a run in a new folder; see ``train``."""
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
        for note in [*_about_place(run, data), *what_to_know(trainer, surveyed)]:
            callback.noted(note)
        yield Loop(trainer, run, resolved.budget, callback)


def go_on(run: Run, overrides: Overrides, callback: TrainCallback, clock: Clock = time.perf_counter) -> Run:
    """Train a run from where it stands to its end; see ``resume``. One that is finished stays as it is."""
    run.require_readable()
    if is_finished(run, overrides):
        callback.noted(f"{run.path} is finished: nothing to do")
        return run
    with _continued(run, overrides, callback, clock) as loop:
        loop.go()
    return run


def go_on_after_restart(run: Run, ranks: Ranks, callback: TrainCallback) -> Run:
    """Go on with a run in processes that were started again; like ``resume``, on rank 0 alone.

    As exactly as it goes: where there are more or fewer of them than before, this is written down and no
    error, since whoever lets their number change wants that.
    """
    inexact = run.metadata.circumstances.ranks != ranks.world_size
    return go_on(run, Overrides(ResumeOptions(inexact=inexact), ranks), callback)


def begun_by_this_launch(out: Path, besides: Run | None = None) -> Run | None:
    """What the processes of this launch began in a folder, if they were started again; else None."""
    here = launch()
    begun = run_begun_by(here.name, out) if here.name and here.restarts else None
    return None if begun is None or (besides and begun.path == besides.path) else begun


def fork(
    old: Run,
    at: int,
    settings: Mapping[str, Any] | Sequence[str],
    overrides: Overrides,
    callback: TrainCallback,
) -> Run:
    """Train a new run from a checkpoint of an old one, or from 0, to its end; see ``resume``."""
    with _forked(old, at, settings, overrides, callback) as loop:
        loop.go()
    return loop.run


@contextlib.contextmanager
def _continued(run: Run, overrides: Overrides, callback: TrainCallback, clock: Clock) -> Iterator[Loop]:
    """Take up a run where its newest checkpoint stands."""
    metadata, recipe = run.metadata, run.recipe
    budget = overrides.budget(metadata)
    with run.writing():
        _tidy(run)
        metadata = run.metadata  # whoever wrote before may have changed them
        over = is_over(run, overrides)
        checkpoint = run.history.newest(callback.noted)
        forked = any(event.kind == "forked" and event.images_seen for event in metadata.events)
        if checkpoint is None and forked:
            raise DamagedError(f"{run.path} was forked and has lost its checkpoint", "Fork it again.")
        if checkpoint is None and (run.path / "model" / "last" / WEIGHTS).exists():  # written after one
            raise DamagedError(
                f"{run.path} has lost its checkpoints, and to begin it again would overwrite its model",
                f"Begin in a run of its own: ganzfeld resume {in_shell(run.path)} --from 0",
            )
        trainer = trainer_of(metadata, recipe, checkpoint, overrides, callback)
        found = differences(metadata, checkpoint, trainer)
        if not overrides.options.inexact:
            refuse(found)
        if checkpoint is not None:
            restore(trainer, checkpoint)
        require_room(run.path, trainer)
        _plan(metadata, overrides, checkpoint, trainer, exactly=not found)
        run.write_metadata(_now_true(metadata, overrides, budget, trainer))
        text = f"resumed at {trainer.images_seen:,} images"
        run.record("resumed", trainer.images_seen, "; ".join([text, *(each.what for each in found)]))
        if over and (stop := metadata.stopped):  # it still is, should this be interrupted too
            run.record("stopped", stop.images_seen, stop.what)
        run.forget_after(trainer.images_seen, callback.noted)
        yield _loop(trainer, run, budget, callback, checkpoint, clock, over=over)


@contextlib.contextmanager
def _forked(
    old: Run,
    at: int,
    settings: Mapping[str, Any] | Sequence[str],
    overrides: Overrides,
    callback: TrainCallback,
) -> Iterator[Loop]:
    """Begin a new run from a checkpoint of an old one, or from 0."""
    checkpoint = _chosen(old, at)
    before = checkpoint.card.recipe if checkpoint else old.recipe
    metadata, recipe = old.metadata, resolve(before, settings)
    budget = overrides.budget(metadata)
    if checkpoint and budget.spent(at, checkpoint.card.position.seconds):
        raise UsageError(
            f"the budget of {old.path} ends at or before {at:,} images",
            "Give the new run an end of its own: --images N or --minutes M, counted from the beginning.",
        )
    trainer = trainer_of(metadata, recipe, checkpoint, overrides, callback)
    beginning = _of_recipe(checkpoint, recipe) if checkpoint else None
    found = differences(metadata, beginning, trainer)
    if not overrides.options.inexact:
        refuse(found)
    if beginning:
        restore(trainer, beginning)
    elif recipe != before:  # other networks may have been asked for
        trainer.take(route_of(metadata.route.parts, trainer, callback.preparing))
    require_room(old.path.parent, trainer)
    if beginning:
        _plan(metadata, overrides, beginning, trainer, exactly=not found and recipe == before)
    run = create_run(old.path.parent, metadata.name)
    with run.writing():
        run.write_metadata(
            _now_true(metadata, overrides, budget, trainer).changed(
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
        run.record("forked", at, "; ".join([text, *(each.what for each in found)]))
        if beginning:
            _copy_past(old, run, at, callback.noted)
            run.history.write(beginning)
        # Last, since a folder becomes a run with its recipe: one that is killed before is none.
        run.folder.write_json(RECIPE, recipe.model_dump(mode="json"))
        yield _loop(trainer, run, budget, callback, checkpoint, time.perf_counter)


def trainer_of(
    metadata: RunMetadata,
    recipe: Recipe,
    checkpoint: Checkpoint | None,
    overrides: Overrides,
    callback: TrainCallback,
) -> Trainer:
    """A training of the run at its beginning."""
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
    """The horizons of the run; with a new end, one that counts from here on.

    What was planned later than here is done again as it was if the run goes on ``exactly``. Where it goes
    another way, at another speed perhaps, it is planned anew.
    """
    budget, seen = overrides.budget(metadata), trainer.images_seen
    trainer.set_horizons(metadata.horizons if exactly else known_at(seen, metadata.horizons))
    if (budget.minutes, budget.images) == (metadata.minutes, metadata.images):
        return
    seconds = checkpoint.card.position.seconds if checkpoint else 0.0
    images = budget.horizon(seen, seconds, seen / seconds if seconds else 0.0)
    if images is None:  # nothing is known of the speed: the loop plans as it does for a new run
        trainer.set_horizons(())
        return
    before = tuple(each for each in metadata.horizons if each.since < seen)
    reached = progress_of(seen, before) if overrides.keeps_progress else 1.0
    if reached == 1.0:  # the schedule was at its end, or is to go on from where a longer one would be
        reached = None if budget.minutes is None else min(1.0, seen / images)
    trainer.set_horizons((*before, Horizon(seen, images, reached)))


def _now_true(metadata: RunMetadata, overrides: Overrides, budget: Budget, trainer: Trainer) -> RunMetadata:
    """The metadata from now on."""
    dataset = trainer.dataset
    moved_to = overrides.options.data
    return metadata.changed(
        data=metadata.data if moved_to is None else str(Path(moved_to).absolute()),
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
        show_reals(run, trainer)
    callback.started(run, summary(trainer))
    callback.noted(run.metadata.beginning)
    seconds = checkpoint.card.position.seconds if checkpoint else 0.0
    return Loop(trainer, run, budget, callback, seconds, over=over, clock=clock)


def _chosen(run: Run, images_seen: int) -> Checkpoint | None:
    """The checkpoint at that number of images; None for the beginning, which needs none."""
    there = run.history.all()
    if images_seen == 0:  # also where one was saved before the first step: other networks may be wanted
        return None
    if images_seen not in there:
        numbers = ", ".join(map(str, [0, *there]))
        raise UsageError(f"{run.path} has no checkpoint at {images_seen} images", f"There are: {numbers}.")
    return run.history.read(images_seen)


def _of_recipe(checkpoint: Checkpoint, recipe: Recipe) -> Checkpoint:
    """The same state as the beginning of a training by another recipe."""
    return replace(checkpoint, card=checkpoint.card.model_copy(update={"recipe": recipe}))


def _copy_past(old: Run, run: Run, images_seen: int, noted: Callable[[str], None]) -> None:
    """Copy what the old run showed and wrote down until then; ``noted`` hears of what cannot be read."""
    copy_journal(old.path / JOURNAL, run.folder, images_seen)
    for sheet in old.sample_files:
        if int(sheet.stem) <= images_seen:
            try:
                (run.folder / "samples").write_bytes(sheet.name, read_regular(sheet, LARGEST_GRID))
            except OSError as error:
                noted(f"left out {printable(str(sheet))}: {error.strerror}")


def _tidy(run: Run) -> None:
    """Remove what a process that was killed left half written."""
    run.history.tidy()
    for folder in (run.folder, *run.inner_folders):
        folder.remove_unfinished(is_written)


def _about_place(run: Run, data: str | Path | None) -> list[str]:
    """What to say of a run that lies inside its own data."""
    if data is None or data == BUILT_IN or not run.path.is_relative_to(Path(data).expanduser().resolve()):
        return []
    return [f"{run.path} lies inside {data}: a run is left out wherever images are read from there"]


def write_beginning(
    run: Run,
    data: str | Path | None,
    trainer: Trainer,
    resolved: ResolvedOptions,
    preparation: PreparationOptions,
    surveyed: Survey,
) -> None:
    """Write what a run folder holds before the first step; with the recipe, which is last, it is a run."""
    run.write_metadata(_metadata_of(data, trainer, resolved, preparation, surveyed))
    show_reals(run, trainer)
    run.folder.write_json(RECIPE, trainer.recipe.model_dump(mode="json"))


def show_reals(run: Run, trainer: Trainer) -> None:
    """Write ``reals.png``: a sheet of images spread over the set, or over each of its classes."""
    dataset, classes = trainer.dataset, trainer.classes
    columns = columns_by_class(SHEET_COLUMNS, len(classes.names) if classes else 0)
    number = columns * (NUM_ON_A_SHEET // columns)
    indices = classes.examples(number) if classes else spread(dataset.num_pictures, number)
    run.folder.write_bytes("reals.png", png(grid(dataset.batch(indices), columns)))


def _as_found(options: PreparationOptions, dataset: ImageDataset) -> PreparationOptions:
    """The options with what was found in the images, and a path that holds wherever the run is resumed."""
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
    found = {
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
        "preparation": _as_found(preparation, dataset),
        "minutes": resolved.budget.minutes,
        "images": resolved.budget.images,
        "horizons": (),
        "route": trainer.route,
        "started": timestamp(),
        "launch": launch().name,
        "circumstances": trainer.circumstances,
        "events": (),
    }
    return RunMetadata(**(options | found))
