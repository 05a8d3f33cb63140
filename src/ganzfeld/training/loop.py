"""The loop: when to step, when to look, when to save, when to go back, when to end.

The mathematics is in ``step.py``, the state in ``trainer.py``, the files in ``run.py``; nothing is printed.
"""

import contextlib
import math
import time
import traceback
from collections.abc import Callable, Iterator
from typing import Any

from ganzfeld.errors import Interrupted, ResourceError, TrainingFailed
from ganzfeld.own_folder import LostFolder
from ganzfeld.printable import duration, in_shell
from ganzfeld.runs.budget import Budget
from ganzfeld.runs.journal import Journal
from ganzfeld.runs.report.report import write_report
from ganzfeld.runs.run import Run, advice_for_moved_run
from ganzfeld.system import ran_out_of_memory
from ganzfeld.training.artifacts import NOT_FINITE, model_card, sample_grid, snapshot
from ganzfeld.training.auto.policy import has_diverged
from ganzfeld.training.callbacks import GuardedCallback, Progress, TrainCallback
from ganzfeld.training.clock import Due, Stopwatch
from ganzfeld.training.followers import Order, begin, order
from ganzfeld.training.interruption import Interruption
from ganzfeld.training.monitors.diagnosis import DiagnosisMonitor
from ganzfeld.training.monitors.health import HealthMonitor
from ganzfeld.training.monitors.quality import QualityMonitor
from ganzfeld.training.planning import Planner
from ganzfeld.training.recovery.failures import diverged, out_of_memory, roll_back, with_way_on
from ganzfeld.training.saver import RETRY_S, Patience, Saver
from ganzfeld.training.step import StepOutput
from ganzfeld.training.trainer import StepScalars, Trainer, scalars_of

READING_EVERY_S = 1.0
SHEET_EVERY_S = 10.0
SHEET_EVERY_SHARE = 0.15
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
        callback: TrainCallback,
        seconds: float = 0.0,
        *,
        judged: bool = True,
        over: bool = False,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        metadata = run.metadata
        self.trainer = trainer
        self.run = run
        self.budget = budget
        self.closing = over
        self.trained = False
        self.callback = callback = GuardedCallback(callback)
        self.rolls_back = metadata.on_divergence == "rollback"
        self.rollbacks = sum(event.kind == "rolled back" for event in metadata.events)
        self.stopwatch = Stopwatch(seconds, clock)
        self.planner = Planner(budget, trainer.recipe.batch)
        self.health_monitor = HealthMonitor(trainer)
        self.quality = QualityMonitor(trainer, run, callback, wanted=judged)
        self.consultation = DiagnosisMonitor(
            run, callback, attended=metadata.auto, ends_on_decay=metadata.stop == "decay"
        )
        self.reading_due = Due(READING_EVERY_S)
        self.sheet_s = 0.0
        self.sheet_due = Due(SHEET_EVERY_S, SHEET_EVERY_SHARE)
        self.save_due = Due(metadata.checkpoint_seconds)
        self.journal_patience, self.sheet_patience, self.plan_patience = (
            Patience(callback.noted) for _ in range(3)
        )

    def go(self) -> None:
        """Train until the budget is spent.

        Raises ``TrainingFailed`` when a number stops being finite (what was saved before stays),
        ``ResourceError`` when disk or memory end, and after saving ``Interrupted`` when a signal came, or
        what the callback raised.
        """
        with (
            Interruption(self.callback.abandoned, self.callback.has_failed) as interruption,
            Saver(self.callback.noted) as saver,
            self._reporting(),
        ):
            self._prepare(interruption)
            while not self.trained:
                with self._recovering(saver):
                    with Journal(self.run.folder) as journal:
                        self._start()
                        over = self._spent()
                        while not over:
                            order(self.trainer, Order.STEP)
                            outcome = self.trainer.advance()
                            over = self._after_step(outcome, journal, interruption, saver)
                    self._save_last(interruption, saver)
            self._finish(interruption)
        self._raise_what_came(interruption)

    @contextlib.contextmanager
    def _reporting(self) -> Iterator[None]:
        """Write the report however the block ends, and say how the run can go on where it lacks something."""
        ended_well = False
        try:
            yield
            ended_well = True
        except LostFolder as error:
            raise LostFolder(error.message, error.now_at, advice_for_moved_run(error.now_at)) from error
        except ResourceError as error:
            raise with_way_on(error, self.run) from error
        finally:
            # After an error this may fail too (without memory not even a module can be imported): nothing
            # that happens here may take the place of what is about to be raised.
            try:
                tried = contextlib.nullcontext() if ended_well else contextlib.suppress(Exception)
                with tried:
                    self.run.folder.require()
                    with self._announced("writing the report"):
                        self.run.write_verdict(self.run.diagnose())
                        write_report(self.run)
            finally:
                self.callback.ended()

    @contextlib.contextmanager
    def _recovering(self, saver: Saver) -> Iterator[None]:
        """Let the block train to the end; after a divergence, go back to where it can be tried again."""
        try:
            yield
            self.trained = True
            return
        except TrainingFailed as error:
            self.stopwatch.stop()
            if self.rolls_back and self.rollbacks < MOST_ROLLBACKS:
                self._roll_back(error.message, saver)
            elif self._is_treated():
                self.trained = True
            else:
                raise diverged(self.trainer, self.run, error.message) from None
            return
        except (MemoryError, RuntimeError) as error:
            if not ran_out_of_memory(error):
                raise
            # What filled the memory is held by the frames of the step.
            traceback.clear_frames(error.__traceback__)
        saver.wait()
        if self.trainer.is_between_steps:
            self._snapshot()()
        raise out_of_memory(self.trainer, self.run)

    def _prepare(self, interruption: Interruption) -> None:
        begin(self.trainer, self.run)
        if self.trainer.index == 0:
            self._show_announced()
        self.quality.prepare(self.stopwatch.seconds, interruption.came)

    def _start(self) -> None:
        for done_already in (self.sheet_due, self.save_due):
            done_already.from_now(self.stopwatch.seconds)
        if not self.closing:
            self._plan()
        order(self.trainer, Order.STATE)
        self.stopwatch.start()

    def _after_step(
        self, outcome: StepOutput, journal: Journal, interruption: Interruption, saver: Saver
    ) -> bool:
        """Do what is due between two steps; return whether the training is over."""
        trainer, stopwatch = self.trainer, self.stopwatch
        self._note_step()
        self.health_monitor.note(outcome)
        over = self._over(interruption)
        if self.reading_due(stopwatch.seconds) or over:
            order(trainer, Order.READ)
            self._read(journal, scalars_of(outcome, trainer.ranks), over)
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
                self.quality.look(stopwatch.seconds, model_card(trainer), interruption.came)
            self.reading_due.next = 0.0  # to be told where it was taken
        return over

    def _save_last(self, interruption: Interruption, saver: Saver) -> None:
        if interruption.signal_number is not None:
            self.callback.noted("stopping: saving")
        with self._announced("saving the run"):
            saver.wait()
            self._snapshot(last=True)()

    def _finish(self, interruption: Interruption) -> None:
        """Show and judge what the training has come to."""
        if self.consultation.over:
            self._judge(interruption)
            return
        self._show_announced()
        if why := self._why_ended():
            self.run.record("stopped", self.trainer.images_seen, why)
            self.callback.noted(f"stopped: {why}")
        self.quality.finish(model_card(self.trainer), interruption.came)

    def _raise_what_came(self, interruption: Interruption) -> None:
        """Raise what ended the run early, now that it is saved: a signal or a callback's failure."""
        failure, seen = self.callback.failure, f"{self.trainer.images_seen:,} images"
        go_on = f"Go on: ganzfeld resume {in_shell(self.run.path)}"
        if interruption.signal_number is not None:
            raise Interrupted(
                f"stopped after {seen}; saved in {self.run.path}",
                go_on,
                signal_number=interruption.signal_number,
            ) from failure
        if failure is not None:
            failure.add_note(f"The run was saved after {seen}. {go_on}")
            raise failure

    def _judge(self, interruption: Interruption) -> None:
        """How good it is where a remedy begins or has been tried, so that the two runs can be compared."""
        last = self.run.journal[-1]
        if has_diverged(self.run) or "kernel_distance" in last.get("health", {}):
            return
        self.quality.look(self.stopwatch.seconds, model_card(self.trainer), interruption.came)
        if news := self.quality.news():
            with Journal(self.run.folder) as journal, self.journal_patience:
                journal.write({**last, "health": news})

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
                self.run.write_metadata(self.run.metadata.changed(horizons=horizons))
                trainer.set_horizons(horizons)

    def _note_step(self) -> None:
        """Note when a step has ended."""
        if stood_s := self.stopwatch.lap():
            self.callback.noted(f"the training stood still for {duration(stood_s)}, which does not count")
        self.planner.speed.note(self.trainer.images_seen, self.stopwatch.seconds)

    def _read(self, journal: Journal, scalars: StepScalars, last: bool) -> None:
        trainer, seconds = self.trainer, self.stopwatch.seconds
        entry: dict[str, Any] = {
            "step": trainer.index,
            "images_seen": trainer.images_seen,
            "seconds": round(seconds, 3),
            "rate": trainer.rate,
            **scalars.values,
        }
        if self.health_monitor.due(seconds) or last:
            with self.stopwatch.paused():
                entry["health"] = self.health_monitor.examine(seconds, everything=last)
        if news := self.quality.news():
            entry["health"] = entry.get("health", {}) | news
        with self.journal_patience:
            journal.write(entry)
        if "health" in entry:
            with self.stopwatch.paused():
                self.consultation.hold(judged=bool(news))
        if not scalars.all_finite:
            raise TrainingFailed(NOT_FINITE)
        speed = self.planner.speed.images_per_s
        remaining = self.budget.remaining_s(trainer.images_seen, seconds, speed)
        if remaining is not None:
            remaining += self.quality.finish_s() + self.sheet_s
        self.callback.read(
            Progress(
                trainer.images_seen,
                seconds,
                speed,
                remaining,
                scalars.loss_generator,
                scalars.loss_discriminator,
                self.consultation.state,
                self.quality.latest,
            )
        )

    @contextlib.contextmanager
    def _announced(self, what: str) -> Iterator[None]:
        """Tell the callback what is done while no step is made."""
        self.callback.preparing(0, 1, what)
        yield
        self.callback.preparing(1, 1, what)

    def _show_announced(self) -> None:
        """Draw a grid before the first step or after the last, and note how long the next one may take."""
        begun = time.perf_counter()
        with self._announced("drawing the sample grid"):
            self._show()
        self.sheet_s = time.perf_counter() - begun

    def _show(self) -> None:
        content = sample_grid(self.trainer)
        with self.sheet_patience:
            self.run.write_sheet(self.trainer.images_seen, content, self.callback.noted)

    def _snapshot(self, *, last: bool = False) -> Callable[[], None]:
        best = self.quality.best
        seconds = self.stopwatch.seconds
        return snapshot(self.trainer, self.run, seconds, best.images_seen if best else None, last=last)

    def _roll_back(self, why: str, saver: Saver) -> None:
        with contextlib.suppress(TrainingFailed):  # what was being saved may be spoilt already
            saver.wait()
        roll_back(self.trainer, self.run, self.callback, why)
        self.rollbacks += 1
        self.planner = Planner(self.budget, self.trainer.recipe.batch)
        self.health_monitor = HealthMonitor(self.trainer)

    def _is_treated(self) -> bool:
        """Whether there is a remedy for a training that has just diverged, which is written down for it."""
        if not self.run.metadata.auto:
            return False
        lost = dict.fromkeys(("loss_generator", "loss_discriminator"), math.nan)
        where = {"step": self.trainer.index, "images_seen": self.trainer.images_seen}
        with Journal(self.run.folder) as journal:
            journal.write({**where, "seconds": round(self.stopwatch.seconds, 3), **lost})
        self.consultation.hold()
        return self.consultation.over
