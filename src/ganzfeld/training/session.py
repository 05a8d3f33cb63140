"""Going on with a run: exactly where it stopped, or from an earlier point in a run of its own."""

import shlex
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ganzfeld.compute.distributed import ALONE, Ranks, joined
from ganzfeld.compute.engine import Engine, choose_engine
from ganzfeld.data import Pictures, open_pictures
from ganzfeld.data.check.survey import survey
from ganzfeld.errors import DamagedError, DataError, GanzfeldError, UsageError
from ganzfeld.kinds import of_right_kinds
from ganzfeld.launch import launch
from ganzfeld.model import load_model
from ganzfeld.model.files import WEIGHTS
from ganzfeld.printable import printable
from ganzfeld.recipes import Recipe, changes, resolve
from ganzfeld.regular import read_regular
from ganzfeld.run_layout import RECIPE, is_written
from ganzfeld.runs.budget import Budget
from ganzfeld.runs.checkpoint import Checkpoint
from ganzfeld.runs.journal import JOURNAL, copy_journal
from ganzfeld.runs.metadata import Circumstances, Facts, Trial, timestamp
from ganzfeld.runs.report.quality_words import lacks_judgement
from ganzfeld.runs.report.report import LARGEST_SHEET
from ganzfeld.runs.run import Run, create_run, open_run, run_begun_by
from ganzfeld.runs.schedule import Horizon, known_at, progress_of
from ganzfeld.system import in_words
from ganzfeld.training.build import start
from ganzfeld.training.callbacks import Watcher
from ganzfeld.training.exactness import differences, refuse
from ganzfeld.training.followers import led
from ganzfeld.training.loop import Loop
from ganzfeld.training.progress_display import ProgressCallback, watcher_for
from ganzfeld.training.snapshot import restore
from ganzfeld.training.train import require_room, show_reals, summary
from ganzfeld.training.trainer import Trainer
from ganzfeld.training.tuning import route_of


@in_words()
@of_right_kinds
def resume(
    run: str | Path,
    *,
    from_images: int | None = None,
    settings: Mapping[str, Any] | Sequence[str] = (),
    minutes: float | None = None,
    images: int | None = None,
    data: str | Path | None = None,
    labels: str | Path | None = None,
    device: str | None = None,
    inexact: bool = False,
    progress: bool | ProgressCallback = True,
    watcher: Watcher | None = None,
) -> Run:
    """Go on with a run from its newest checkpoint to the end of its budget, and return it.

    Weights become, bit for bit, what they would have become without the stop, as long as torch, device,
    number of threads, recipe and pictures are the same. Where they are not, this raises ``UsageError`` (for
    pictures ``DataError``), unless ``inexact`` allows it; what changed is then written to ``run.json``.

    ``from_images`` goes back to the checkpoint at that number of pictures, in a new run folder beside the old
    one, which stays as it is; ``settings`` may then change the recipe: anything of it from 0, which is the
    beginning, and later what leaves the networks as they are. ``minutes`` and ``images`` give the
    run another end, counted from its beginning. ``data`` says where the pictures are now, if they moved,
    and ``labels`` where the file of labels is.
    ``progress`` and ``watcher`` are those of ``train``.

    A run that is finished is returned as it is; one that was stopped before its first checkpoint begins
    again. Raises what ``train`` raises, and ``DamagedError`` for a run whose checkpoints or files are
    damaged, or that has a model and no checkpoint any more.

    >>> run = resume("runs/photos-001")  # doctest: +SKIP
    """
    if from_images is None and settings:
        raise UsageError("settings of a run cannot change on the way", "Fork it: add --from IMAGES_SEEN.")
    watcher = watcher_for(progress, watcher)
    with joined() as ranks:
        wishes = Wishes(minutes, images, data, device, inexact, ranks, labels=labels)

        def work() -> Run:
            old = open_run(run)
            if old.facts.auto and ranks.number > 1:
                raise UsageError(
                    f"{old.path} is trained with auto, which is for one process, not for {ranks.number}",
                    "Start it without torchrun.",
                )
            if from_images is not None:
                begun = _fork_begun_by_this_launch(old)
                old = (
                    go_on_after_restart(begun, ranks, watcher)
                    if begun
                    else fork(old, from_images, settings, wishes, watcher)
                )
            if old.facts.auto:
                from ganzfeld.training.auto.driver import attended  # it builds on this module

                return attended(old, wishes if from_images is None else wishes.without_end, watcher)
            return old if from_images is not None else go_on(old, wishes, watcher)

        return led(ranks, work)


def go_on_after_restart(run: Run, ranks: Ranks, watcher: Watcher) -> Run:
    """Go on with a run in processes that were started again; like ``resume``, on rank 0 alone.

    As exactly as it goes: where there are more or fewer of them than before, this is written down and no
    error, since whoever lets their number change wants that.
    """
    inexact = run.facts.circumstances.ranks != ranks.number
    return go_on(run, Wishes(inexact=inexact, ranks=ranks), watcher)


def _fork_begun_by_this_launch(old: Run) -> Run | None:
    """What the processes of this launch began beside an old run, if they were started again; else None."""
    here = launch()
    begun = run_begun_by(here.name, old.path.parent) if here.name and here.restarts else None
    return None if begun is None or begun.path == old.path else begun


@dataclass(frozen=True)
class Wishes:
    """What of a run shall be otherwise from now on; None where it stays."""

    minutes: float | None = None
    images: int | None = None
    data: str | Path | None = None
    device: str | None = None
    inexact: bool = False
    ranks: Ranks = ALONE
    trials: tuple[Trial, ...] = ()
    """Of a fork in which a remedy is tried."""
    keeps_progress: bool = False
    """Whether the end is that of the run, only nearer, and so the schedules go on from where they are."""
    labels: str | Path | None = None

    @property
    def without_end(self) -> "Wishes":
        """The same, with the end that the run has."""
        return replace(self, minutes=None, images=None)

    def shortened(self, facts: Facts, images: int, minutes: float) -> "Wishes":
        """The same, with an end that is as much nearer: a trial has used that up of the budget."""
        budget, as_before = self.budget(facts), self.minutes is None and self.images is None
        return replace(
            self,
            images=None if budget.images is None else max(1, budget.images - images),
            minutes=None if budget.minutes is None else max(1e-9, budget.minutes - minutes),
            keeps_progress=as_before or self.keeps_progress,
        )

    def budget(self, facts: Facts) -> Budget:
        """The end of the run. Raises ``UsageError`` for numbers that are not above 0."""
        if self.minutes is None and self.images is None:
            return Budget(facts.minutes, facts.images)
        return Budget(self.minutes, self.images)

    def pictures(self, facts: Facts, recipe: Recipe, watcher: Watcher) -> Pictures:
        """The pictures of the run, wherever they are now."""
        place = facts.data if self.data is None else self.data
        options = facts.with_labels_at(self.labels).reading_options(by_class=recipe.classes != "none")
        try:
            return open_pictures(place, size=recipe.size, **options, progress=watcher.preparing)
        except DataError as error:
            hint = "If the pictures are elsewhere now, say where with --data."
            raise DataError(error.message, f"{error.hint} {hint}".strip()) from None

    def engine(self, then: Circumstances) -> Engine:
        """The device of the run or another one, in the precision of the run."""
        return choose_engine(self.device or then.device, then.precision)


def go_on(run: Run, wishes: Wishes, watcher: Watcher, clock: Callable[[], float] = time.perf_counter) -> Run:
    """Train a run from where it stands to its end, by a clock that tells seconds; see ``resume``."""
    facts, recipe = run.facts, run.recipe
    budget = wishes.budget(facts)
    if is_finished(run, wishes):
        watcher.noted(f"{run.path} is finished: nothing to do")
        return run
    with run.writing():
        _tidy(run)
        facts = run.facts  # whoever wrote before may have changed them
        over = is_over(run, wishes)
        checkpoint = run.history.newest(watcher.noted)
        if checkpoint is None and any(event.kind == "forked" and event.images_seen for event in facts.events):
            raise DamagedError(f"{run.path} was forked and has lost its checkpoint", "Fork it again.")
        if checkpoint is None and (run.path / "model" / "last" / WEIGHTS).exists():  # written after one
            raise DamagedError(
                f"{run.path} has lost its checkpoints, and to begin it again would overwrite its model",
                f"Begin in a run of its own: ganzfeld resume {shlex.quote(str(run.path))} --from 0",
            )
        trainer = trainer_of(facts, recipe, checkpoint, wishes, watcher)
        found = differences(facts, checkpoint, trainer)
        if not wishes.inexact:
            refuse(found)
        if checkpoint is not None:
            restore(trainer, checkpoint)
        require_room(run.path, trainer)
        _plan(facts, wishes, checkpoint, trainer, exactly=not found)
        run.write_facts(_now_true(facts, wishes, budget, trainer))
        text = f"resumed at {trainer.images_seen:,} pictures"
        run.record("resumed", trainer.images_seen, "; ".join([text, *(each.what for each in found)]))
        if over and (stop := facts.stopped):  # it still is, should this be interrupted too
            run.record("stopped", stop.images_seen, stop.what)
        run.forget_after(trainer.images_seen, watcher.noted)
        _train(trainer, run, budget, watcher, checkpoint, clock, over=over)
    return run


def fork(
    old: Run, at: int, settings: Mapping[str, Any] | Sequence[str], wishes: Wishes, watcher: Watcher
) -> Run:
    """Train a new run from a checkpoint of an old one, or from 0, to its end; see ``resume``."""
    checkpoint = _chosen(old, at)
    before = checkpoint.card.recipe if checkpoint else old.recipe
    facts, recipe = old.facts, resolve(before, settings)
    budget = wishes.budget(facts)
    if checkpoint and budget.spent(at, checkpoint.card.position.seconds):
        raise UsageError(
            f"the budget of {old.path} ends at or before {at:,} pictures",
            "Give the new run an end of its own: --images N or --minutes M, counted from the beginning.",
        )
    trainer = trainer_of(facts, recipe, checkpoint, wishes, watcher)
    beginning = _of_recipe(checkpoint, recipe) if checkpoint else None
    found = differences(facts, beginning, trainer)
    if not wishes.inexact:
        refuse(found)
    if beginning:
        restore(trainer, beginning)
    elif recipe != before:  # other networks may have been asked for
        trainer.take(route_of(facts.route.parts, trainer, watcher.preparing))
    require_room(old.path.parent, trainer)
    if beginning:
        _plan(facts, wishes, beginning, trainer, exactly=not found and recipe == before)
    run = create_run(old.path.parent, facts.name)
    with run.writing():
        run.write_facts(
            _now_true(facts, wishes, budget, trainer).changed(
                route=trainer.route,
                started=timestamp(),
                launch=launch().name,
                events=(),
                best=None,
                final=None,
                trials=wishes.trials,
            )
        )
        changed = changes(recipe, since=before)
        text = f"forked from {old.path} at {at:,} pictures" + (
            f" with {' '.join(changed)}" if changed else ""
        )
        run.record("forked", at, "; ".join([text, *(each.what for each in found)]))
        if beginning:
            _copy_past(old, run, at, watcher.noted)
            run.history.write(beginning)
        # Last, since a folder becomes a run with its recipe: one that is killed before is none.
        run.folder.write_json(RECIPE, recipe.model_dump(mode="json"))
        _train(trainer, run, budget, watcher, checkpoint, time.perf_counter)
    return run


def trainer_of(
    facts: Facts, recipe: Recipe, checkpoint: Checkpoint | None, wishes: Wishes, watcher: Watcher
) -> Trainer:
    """A training of the run at its beginning."""
    engine = wishes.engine(checkpoint.card.circumstances if checkpoint else facts.circumstances)
    wishes.ranks.require(recipe.batch, engine.device)
    engine = replace(engine, channels_last=facts.route.channels_last)
    pictures = wishes.pictures(facts, recipe, watcher)
    trainer = start(recipe, pictures, engine, facts.seed, wishes.ranks)
    trainer.take(facts.route)
    return trainer


def _plan(
    facts: Facts, wishes: Wishes, checkpoint: Checkpoint | None, trainer: Trainer, *, exactly: bool
) -> None:
    """The horizons of the run; with a new end, one that counts from here on.

    What was planned later than here is done again as it was if the run goes on ``exactly``. Where it goes
    another way, at another speed perhaps, it is planned anew.
    """
    budget, seen = wishes.budget(facts), trainer.images_seen
    trainer.set_horizons(facts.horizons if exactly else known_at(seen, facts.horizons))
    if (budget.minutes, budget.images) == (facts.minutes, facts.images):
        return
    seconds = checkpoint.card.position.seconds if checkpoint else 0.0
    images = budget.horizon(seen, seconds, seen / seconds if seconds else 0.0)
    if images is None:  # nothing is known of the speed: the loop plans as it does for a new run
        trainer.set_horizons(())
        return
    before = tuple(each for each in facts.horizons if each.since < seen)
    reached = progress_of(seen, before) if wishes.keeps_progress else 1.0
    if reached == 1.0:  # the schedule was at its end, or is to go on from where a longer one would be
        reached = None if budget.minutes is None else min(1.0, seen / images)
    trainer.set_horizons((*before, Horizon(seen, images, reached)))


def _now_true(facts: Facts, wishes: Wishes, budget: Budget, trainer: Trainer) -> Facts:
    """The facts from now on."""
    pictures = trainer.pictures
    return facts.changed(
        data=facts.data if wishes.data is None else str(Path(wishes.data).absolute()),
        preparation=facts.with_labels_at(wishes.labels).preparation,
        num_pictures=pictures.num_pictures,
        content_hash=pictures.content_hash,
        classes_hash=trainer.classes_hash,
        class_names=tuple(card.name for card in trainer.class_cards),
        num_unusable=len(pictures.unusable),
        num_duplicates=(
            facts.num_duplicates
            if pictures.content_hash == facts.content_hash
            else survey(pictures).num_redundant
        ),
        minutes=budget.minutes,
        images=budget.images,
        horizons=trainer.horizons,
        circumstances=trainer.circumstances,
    )


def _train(
    trainer: Trainer,
    run: Run,
    budget: Budget,
    watcher: Watcher,
    checkpoint: Checkpoint | None,
    clock: Callable[[], float],
    *,
    over: bool = False,
) -> None:
    if not (run.path / "reals.png").exists():
        show_reals(run, trainer)
    watcher.started(run, summary(trainer))
    watcher.noted(run.facts.beginning)
    seconds = checkpoint.card.position.seconds if checkpoint else 0.0
    Loop(trainer, run, budget, watcher, seconds, over=over, clock=clock).go()


def _chosen(run: Run, images_seen: int) -> Checkpoint | None:
    """The checkpoint at that number of pictures; None for the beginning, which needs none."""
    there = run.history.all()
    if images_seen == 0:  # also where one was saved before the first step: other networks may be wanted
        return None
    if images_seen not in there:
        numbers = ", ".join(map(str, [0, *there]))
        raise UsageError(f"{run.path} has no checkpoint at {images_seen} pictures", f"There are: {numbers}.")
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
                (run.folder / "samples").write_bytes(sheet.name, read_regular(sheet, LARGEST_SHEET))
            except OSError as error:
                noted(f"left out {printable(str(sheet))}: {error.strerror}")


def _tidy(run: Run) -> None:
    """Remove what a process that was killed left half written."""
    run.history.tidy()
    for folder in (run.folder, *run.inner_folders):
        folder.remove_unfinished(is_written)


def is_finished(run: Run, wishes: Wishes) -> bool:
    """Whether the training is over and everything that is written at the end has been. Changes nothing."""
    if not is_over(run, wishes):
        return False
    try:
        images_seen = run.position.images_seen
        stale: list[str] = []  # resuming writes both cards anew
        last = load_model(run.path / "model" / "last", stale.append)
        is_saved = not stale and last.card.images_seen == images_seen
    except GanzfeldError:
        return False
    sheet = run.path / "samples" / f"{images_seen}.png"
    is_shown = sheet.exists() and (run.path / "report.html").exists()
    return is_saved and is_shown and not lacks_judgement(run, images_seen)


def is_over(run: Run, wishes: Wishes) -> bool:
    """Whether the training is over, whatever is still to be written.

    It is when the budget is spent, or where ``--stop`` has ended it, unless another end is wished for.
    """
    try:
        position = run.position
    except GanzfeldError:
        return False
    as_before = wishes.minutes is None and wishes.images is None
    is_stopped = as_before and run.facts.stopped is not None
    return is_stopped or wishes.budget(run.facts).spent(position.images_seen, position.seconds)
