"""The loop: when to step, when to look, when to save, when to go back, when to end.

The mathematics is in ``step.py``, the state in ``trainer.py``, the files in ``run.py``; nothing is printed.
"""

import contextlib
import copy
import math
import shlex
import time
from collections.abc import Callable, Iterator
from typing import Any

import ganzfeld
from ganzfeld.errors import Interrupted, ResourceError, TrainingFailed
from ganzfeld.model import Card, columns_by_class, grid, pictures_of_seeds, png, save
from ganzfeld.own_folder import LostFolder
from ganzfeld.printable import duration
from ganzfeld.runs.budget import Budget
from ganzfeld.runs.journal import Journal
from ganzfeld.runs.report.report import write_report
from ganzfeld.runs.run import Run, what_is_left
from ganzfeld.runs.schedule import known_at
from ganzfeld.system import ran_out_of_memory
from ganzfeld.training.auto.policy import has_diverged
from ganzfeld.training.build import generator_card, start
from ganzfeld.training.callbacks import Guarded, Progress, Watcher
from ganzfeld.training.clock import Due, Stopwatch
from ganzfeld.training.followers import Order, begin, order
from ganzfeld.training.interruption import Interruption
from ganzfeld.training.memory import advice_on_batch
from ganzfeld.training.monitors.diagnosis import Consultation
from ganzfeld.training.monitors.health import Examiner
from ganzfeld.training.monitors.quality import Quality
from ganzfeld.training.planning import Planner
from ganzfeld.training.saver import RETRY_S, Patience, Saver
from ganzfeld.training.snapshot import capture, restore
from ganzfeld.training.trainer import Trainer, readings

READING_EVERY_S = 1.0
SHEET_EVERY_S = 10.0
SHEET_EVERY_SHARE = 0.15
NUM_ON_A_SHEET = 64
SHEET_COLUMNS = 8
MOST_ROLLBACKS = 5


class Loop:
    """One training run from where it stands to its end, in its folder, of which it must be the one writer.

    ``seconds`` are those of training behind it, ``clock`` tells those that pass. ``judged`` false: nobody
    looks how good the model is. ``over``: no step is made any more, only what belongs to the end.
    """

    def __init__(
        self,
        trainer: Trainer,
        run: Run,
        budget: Budget,
        watcher: Watcher,
        seconds: float = 0.0,
        *,
        judged: bool = True,
        over: bool = False,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        facts = run.facts
        self.trainer = trainer
        self.run = run
        self.budget = budget
        self.closing = over
        self.watcher = watcher = Guarded(watcher)
        self.rolls_back = facts.on_divergence == "rollback"
        self.rollbacks = sum(event.kind == "rolled back" for event in facts.events)
        self.stopwatch = Stopwatch(seconds, clock)
        self.planner = Planner(budget, trainer.recipe.batch)
        self.examiner = Examiner(trainer)
        self.quality = Quality(trainer, run, watcher, wanted=judged)
        self.consultation = Consultation(
            run, watcher, attended=facts.auto, ends_on_decay=facts.stop == "decay"
        )
        self.reading_due = Due(READING_EVERY_S)
        self.sheet_s = 0.0
        self.sheet_due = Due(SHEET_EVERY_S, SHEET_EVERY_SHARE)
        self.save_due = Due(facts.checkpoint_seconds)
        self.journal_patience, self.sheet_patience, self.plan_patience = (
            Patience(watcher.noted) for _ in range(3)
        )

    def go(self) -> None:
        """Train until the budget is spent.

        Raises ``TrainingFailed`` when a number stops being finite (what was saved before stays),
        ``ResourceError`` when disk or memory end, and after saving ``Interrupted`` when a signal came, or
        what the watcher raised.
        """
        watcher, ended_well = self.watcher, False
        with (
            Interruption(watcher.abandoned, watcher.has_failed) as interruption,
            Saver(watcher.noted) as saver,
        ):
            try:
                begin(self.trainer, self.run)
                if self.trainer.index == 0:
                    self._show_told()
                self.quality.prepare(self.stopwatch.seconds, interruption.came)
                self._train_and_go_back(interruption, saver)
                if self.consultation.over:
                    self._judge(interruption)
                else:
                    self._show_told()
                    self._conclude(interruption)
                ended_well = True
            except LostFolder as error:
                raise LostFolder(error.message, error.now_at, what_is_left(error.now_at)) from error
            except ResourceError as error:
                raise self._with_way_on(error) from error
            finally:
                # After an error this may fail too (without memory not even a module can be imported): nothing
                # that happens here may take the place of what is about to be told.
                try:
                    tried = contextlib.nullcontext() if ended_well else contextlib.suppress(Exception)
                    with tried:
                        self.run.folder.require()
                        with self._telling("writing the report"):
                            self.run.write_verdict(self.run.diagnose())
                            write_report(self.run)
                finally:
                    self.watcher.ended()
        go_on = f"Go on: ganzfeld resume {shlex.quote(str(self.run.path))}"
        if interruption.signal_number is not None:
            raise Interrupted(
                f"stopped after {self.trainer.images_seen:,} pictures; saved in {self.run.path}",
                go_on,
                signal_number=interruption.signal_number,
            ) from watcher.failure
        if watcher.failure is not None:
            watcher.failure.add_note(
                f"The run was saved after {self.trainer.images_seen:,} pictures. {go_on}"
            )
            raise watcher.failure

    def _train_and_go_back(self, interruption: Interruption, saver: Saver) -> None:
        """Train and save; after a divergence from the last good checkpoint on, if that is asked for."""
        while True:
            try:
                with Journal(self.run.folder) as journal:
                    self._train(journal, interruption, saver)
                if interruption.signal_number is not None:
                    self.watcher.noted("stopping: saving")
                with self._telling("saving the run"):
                    saver.wait()
                    self._snapshot(last=True)()
                return
            except TrainingFailed as error:
                self.stopwatch.stop()
                if self.rolls_back and self.rollbacks < MOST_ROLLBACKS:
                    self._roll_back(error.message, saver)
                elif self._is_treated():
                    return
                else:
                    raise self._failed(error.message) from None
            except (MemoryError, RuntimeError) as error:
                if not ran_out_of_memory(error):
                    raise
                break
        # Here, and not above, where the error still holds on to everything that filled the memory.
        raise self._out_of_memory(saver)

    def _judge(self, interruption: Interruption) -> None:
        """How good it is where a remedy begins or has been tried, so that the two runs can be compared."""
        last = self.run.journal[-1]
        if has_diverged(self.run) or "kernel_distance" in last.get("health", {}):
            return
        self.quality.look(self.stopwatch.seconds, self._card(), interruption.came)
        if news := self.quality.news():
            with Journal(self.run.folder) as journal, self.journal_patience:
                journal.write({**last, "health": news})

    def _conclude(self, interruption: Interruption) -> None:
        """How good it has become, unless somebody is waiting for the end."""
        if why := self._why_ended():
            self.run.record("stopped", self.trainer.images_seen, why)
            self.watcher.noted(f"stopped: {why}")
        self.quality.finish(self._card(), interruption.came)

    def _train(self, journal: Journal, interruption: Interruption, saver: Saver) -> None:
        trainer, stopwatch = self.trainer, self.stopwatch
        for done_already in (self.sheet_due, self.save_due):
            done_already.from_now(stopwatch.seconds)
        if not self.closing:
            self._plan()
        order(trainer, Order.STATE)
        stopwatch.start()
        over = self._spent()
        while not over:
            order(trainer, Order.STEP)
            outcome = trainer.advance()
            self._note_step()
            self.examiner.note(outcome)
            over = self._over(interruption)
            if self.reading_due(stopwatch.seconds) or over:
                order(trainer, Order.READ)
                self._read(journal, readings(outcome, trainer.ranks), over)
                over = over and self._over(interruption)  # at a second look the doctor may see nothing to do
                if saver.failed():
                    self.save_due.next = stopwatch.seconds + RETRY_S
            self._plan()
            if over:
                stopwatch.stop()
            elif self.sheet_due(stopwatch.seconds):
                with stopwatch.paused():
                    self._show()
            elif not saver.busy and self.save_due(stopwatch.seconds):
                saver.begin(self._snapshot())
            elif self.quality.due(stopwatch.seconds):
                with stopwatch.paused():
                    self.quality.look(stopwatch.seconds, self._card(), interruption.came)
                self.reading_due.next = 0.0  # to be told where it was taken

    def _over(self, interruption: Interruption) -> bool:
        return self._spent() or interruption.came() or bool(self._why_ended()) or self.consultation.over

    def _why_ended(self) -> str:
        """Why ``--stop`` ends the training; empty if it does not."""
        return self.quality.over or self.consultation.decayed

    def _spent(self) -> bool:
        return self.closing or self.budget.spent(self.trainer.images_seen, self.stopwatch.seconds)

    def _plan(self) -> None:
        """Give the schedules a new horizon where one is needed; it is written down before it counts."""
        trainer = self.trainer
        horizon = self.planner.next(trainer.images_seen, self.stopwatch.seconds, trainer.horizons)
        if horizon is not None:
            horizons = (*trainer.horizons, horizon)
            with self.stopwatch.paused(), self.plan_patience:
                self.run.write_facts(self.run.facts.changed(horizons=horizons))
                trainer.set_horizons(horizons)

    def _note_step(self) -> None:
        """Note when a step has ended."""
        if stood_s := self.stopwatch.lap():
            self.watcher.noted(f"the training stood still for {duration(stood_s)}, which does not count")
        self.planner.speed.note(self.trainer.images_seen, self.stopwatch.seconds)

    def _read(self, journal: Journal, values: dict[str, float], last: bool) -> None:
        trainer, seconds = self.trainer, self.stopwatch.seconds
        sound = values.pop("sound")
        entry: dict[str, Any] = {
            "step": trainer.index,
            "images_seen": trainer.images_seen,
            "seconds": round(seconds, 3),
            "rate": trainer.rate,
            **values,
        }
        if self.examiner.due(seconds) or last:
            with self.stopwatch.paused():
                entry["health"] = self.examiner.examine(seconds, everything=last)
        if news := self.quality.news():
            entry["health"] = entry.get("health", {}) | news
        with self.journal_patience:
            journal.write(entry)
        if "health" in entry:
            with self.stopwatch.paused():
                self.consultation.hold(judged=bool(news))
        if not sound:
            raise TrainingFailed("a loss or a gradient stopped being finite")
        speed = self.planner.speed.images_per_s
        remaining = self.budget.remaining_s(trainer.images_seen, seconds, speed)
        if remaining is not None:
            remaining += self.quality.finish_s() + self.sheet_s
        self.watcher.read(
            Progress(
                trainer.images_seen,
                seconds,
                speed,
                remaining,
                values["loss_generator"],
                values["loss_discriminator"],
                self.consultation.state,
                self.quality.latest,
            )
        )

    @contextlib.contextmanager
    def _telling(self, what: str) -> Iterator[None]:
        """Tell the watcher what is done while no step is made."""
        self.watcher.preparing(0, 1, what)
        yield
        self.watcher.preparing(1, 1, what)

    def _show_told(self) -> None:
        """A sheet before the first step or after the last; how long it takes is what the last one will."""
        begun = time.perf_counter()
        with self._telling("drawing the sample grid"):
            self._show()
        self.sheet_s = time.perf_counter() - begun

    def _show(self) -> None:
        """A sheet of pictures."""
        prior, num_classes = self.trainer.recipe.latent.prior, len(self.trainer.class_cards)
        columns = columns_by_class(SHEET_COLUMNS, num_classes)
        seeds = range(columns * (NUM_ON_A_SHEET // columns))
        sheet = grid(pictures_of_seeds(self.trainer.shipped(), seeds, prior=prior), columns)
        with self.sheet_patience:
            self.run.write_sheet(self.trainer.images_seen, png(sheet), self.watcher.noted)

    def _card(self) -> Card:
        """The card of the model as it stands."""
        trainer = self.trainer
        return Card(
            ganzfeld=ganzfeld.__version__,
            generator=generator_card(trainer.recipe, trainer.pictures.channels, len(trainer.class_cards)),
            prior=trainer.recipe.latent.prior,
            recipe=trainer.recipe.name,
            data=trainer.pictures.name,
            images_seen=trainer.images_seen,
            seed=trainer.seed,
            classes=trainer.class_cards,
        )

    def _snapshot(self, *, last: bool = False) -> Callable[[], None]:
        """The state and the model of this moment, as what is left to do to have them on disk.

        ``last``: no step is made before that is done.
        """
        trainer, run = self.trainer, self.run
        checkpoint = capture(trainer, self.stopwatch.seconds)
        average = None if last else copy.deepcopy(trainer.players.average)
        card, best = self._card(), self.quality.best
        if not trainer.sound:
            raise TrainingFailed("a loss or a gradient stopped being finite")

        def write() -> None:
            checkpoint.require_finite()
            run.history.write(checkpoint, best.images_seen if best else None)
            save(run.folder / "model" / "last", trainer.shipped(average), card)

        return write

    def _is_treated(self) -> bool:
        """Whether there is a remedy for a training that has just diverged, which is written down for it."""
        if not self.run.facts.auto:
            return False
        lost = dict.fromkeys(("loss_generator", "loss_discriminator"), math.nan)
        where = {"step": self.trainer.index, "images_seen": self.trainer.images_seen}
        with Journal(self.run.folder) as journal:
            journal.write({**where, "seconds": round(self.stopwatch.seconds, 3), **lost})
        self.consultation.hold()
        return self.consultation.over

    def _roll_back(self, what: str, saver: Saver) -> None:
        """Go back to the last good checkpoint, or to the beginning, with half the learning rates."""
        trainer, run = self.trainer, self.run
        with contextlib.suppress(TrainingFailed):  # what was being saved may be spoilt already
            saver.wait()
        scale, diverged_at = trainer.rate_scale / 2, trainer.images_seen
        good = run.history.newest(self.watcher.noted)
        if good is None:
            anew = start(trainer.recipe, trainer.pictures, trainer.engine, trainer.seed, trainer.ranks)
            good = capture(anew, 0.0)
        restore(trainer, good)
        # What was planned later was planned with less time to go.
        trainer.stand_at(
            index=trainer.index,
            images_seen=trainer.images_seen,
            horizons=known_at(good.images_seen, run.facts.horizons),
            rate_scale=scale,
        )
        run.write_facts(run.facts.changed(horizons=trainer.horizons))
        self.rollbacks += 1
        self.planner = Planner(self.budget, trainer.recipe.batch)
        self.examiner = Examiner(trainer)
        run.forget_after(good.images_seen, self.watcher.noted)
        text = (
            f"{what} after {diverged_at:,} pictures: back to {good.images_seen:,} pictures,"
            f" with {scale:g} times the recipe's learning rates"
        )
        run.record("rolled back", good.images_seen, text)
        self.watcher.noted(text)

    def _failed(self, what: str) -> TrainingFailed:
        self.run.folder.require()
        run, saved = shlex.quote(str(self.run.path)), self.run.history.all()
        slower = "--set generator.optimizer.lr=1e-4 --set discriminator.optimizer.lr=1e-4"
        if saved:
            kept = (
                f"The last good state, at {saved[-1]:,} pictures, is {self.run.history.path(saved[-1])}."
                f" Go back to it with lower learning rates: ganzfeld resume {run} --from {saved[-1]} {slower}"
            )
        else:
            kept = f"Nothing had been saved yet. Try lower learning rates: {slower}"
        return TrainingFailed(f"training diverged: {what} after {self.trainer.images_seen:,} pictures", kept)

    def _with_way_on(self, error: ResourceError) -> ResourceError:
        """A want of resources ended the training; what was saved before can go on."""
        saved = self.run.history.all()
        if not saved or "ganzfeld resume" in error.hint:
            return error
        go_on = f"then go on from {saved[-1]:,} pictures: ganzfeld resume {shlex.quote(str(self.run.path))}"
        return ResourceError(error.message, f"{error.hint.rstrip('.')}; {go_on}")

    def _out_of_memory(self, saver: Saver) -> ResourceError:
        """Save the state if it is whole, and find the batch that would have fitted."""
        trainer = self.trainer
        saver.wait()
        if trainer.is_between_steps:
            self._snapshot()()
        self.run.folder.require()
        saved = self.run.history.all()
        what = f"a batch of {trainer.recipe.batch} after {trainer.images_seen:,} pictures"
        state = f"The state at {saved[-1]:,} pictures is saved" if saved else "Nothing was trained yet"
        return ResourceError(
            f"memory ran out with {what}; {advice_on_batch(trainer, self.run.path)}",
            f"{state}. With more memory free: ganzfeld resume {shlex.quote(str(self.run.path))}",
        )
