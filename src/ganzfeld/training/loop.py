"""The training loop: when to step, measure, save, roll back and end.

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
from ganzfeld.runs.opening import advice_for_moved_run
from ganzfeld.runs.report.report import write_report
from ganzfeld.runs.run import Run
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
from ganzfeld.training.recovery.failures import diverged, out_of_memory, roll_back, with_resume_hint
from ganzfeld.training.saver import RETRY_S, Patience, Saver
from ganzfeld.training.step import StepOutput
from ganzfeld.training.trainer import StepScalars, Trainer, scalars_of

MOST_ROLLBACKS = 5


class Loop:
    """Trains a run from its current position to its end; it must be the only writer of the run folder.

    ``seconds`` is the training time so far, and ``clock`` returns the current time in seconds. Without
    ``measures_quality``, the quality of the model is not measured. ``over``: no step is made, only the work
    after the last step.
    """

    def __init__(
        self,
        trainer: Trainer,
        run: Run,
        budget: Budget,
        callback: TrainCallback,
        seconds: float = 0.0,
        *,
        measures_quality: bool = True,
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
        self.health_monitor = HealthMonitor(trainer, callback.pace)
        self.quality_monitor = QualityMonitor(trainer, run, callback, wanted=measures_quality)
        self.diagnosis_monitor = DiagnosisMonitor(
            run, callback, auto=metadata.auto, ends_on_decay=metadata.stop == "decay"
        )
        self.reading_due = Due(callback.pace.progress_every_s)
        self.grid_s = 0.0
        self.grid_due = Due(callback.pace.grid_every_s, callback.pace.grid_every_share)
        self.save_due = Due(metadata.checkpoint_seconds)
        self.journal_patience, self.grid_patience, self.plan_patience = (
            Patience(callback.noted) for _ in range(3)
        )

    def go(self) -> None:
        """Train until the budget is spent.

        Raises ``TrainingFailed`` when a number stops being finite (earlier checkpoints stay),
        ``ResourceError`` when disk space or memory run out, and, after saving, ``Interrupted`` after a signal
        or the exception that a callback raised.
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
                            output = self.trainer.advance()
                            over = self._after_step(output, journal, interruption, saver)
                    self._save_last(interruption, saver)
            self._finish(interruption)
        self._raise_interruption(interruption)

    @contextlib.contextmanager
    def _reporting(self) -> Iterator[None]:
        """Write the report however the block ends; add to a lack of resources how to resume the run."""
        ended_well = False
        try:
            yield
            ended_well = True
        except LostFolder as error:
            raise LostFolder(error.message, error.now_at, advice_for_moved_run(error.now_at)) from error
        except ResourceError as error:
            raise with_resume_hint(error, self.run) from error
        finally:
            # After an error this may fail too (without memory not even a module can be imported). That must
            # not replace the exception that is about to be raised.
            try:
                with contextlib.nullcontext() if ended_well else contextlib.suppress(Exception):
                    self.run.folder.require()
                    with self._announced("writing the report"):
                        self.run.write_verdict(self.run.diagnose())
                        write_report(self.run)
            finally:
                self.callback.ended()

    @contextlib.contextmanager
    def _recovering(self, saver: Saver) -> Iterator[None]:
        """Run the block, which trains to the end; after a divergence, roll back to repeat it."""
        try:
            yield
            self.trained = True
            return
        except TrainingFailed as error:
            self.stopwatch.stop()
            if self.rolls_back and self.rollbacks < MOST_ROLLBACKS:
                self._roll_back(error.message, saver)
            elif self._leaves_to_auto():
                self.trained = True
            else:
                raise diverged(self.trainer, self.run, error.message) from None
            return
        except (MemoryError, RuntimeError) as error:
            if not ran_out_of_memory(error):
                raise
            # The frames of the step hold the tensors that filled the memory.
            traceback.clear_frames(error.__traceback__)
        saver.wait()
        if self.trainer.is_between_steps:
            self._snapshot()()
        raise out_of_memory(self.trainer, self.run)

    def _prepare(self, interruption: Interruption) -> None:
        begin(self.trainer, self.run)
        if self.trainer.index == 0:
            self._show_announced()
        self.quality_monitor.prepare(self.stopwatch.seconds, interruption.came)

    def _start(self) -> None:
        for due in (self.grid_due, self.save_due):  # both were done at this position already
            due.from_now(self.stopwatch.seconds)
        if not self.closing:
            self._plan()
        order(self.trainer, Order.STATE)
        self.stopwatch.start()

    def _after_step(
        self, output: StepOutput, journal: Journal, interruption: Interruption, saver: Saver
    ) -> bool:
        """Do the work that is due between two steps; return whether the run is over."""
        trainer, stopwatch = self.trainer, self.stopwatch
        self._note_step()
        self.health_monitor.note(output)
        over = self._over(interruption)
        if self.reading_due(stopwatch.seconds) or over:
            order(trainer, Order.READ)
            self._read(journal, scalars_of(output, trainer.ranks), over)
            over = over and self._over(interruption)  # the new diagnosis may leave nothing to decide
            if saver.failed():
                self.save_due.next = stopwatch.seconds + RETRY_S
        self._plan()
        if over:
            stopwatch.stop()
        elif self.grid_due(stopwatch.seconds):
            with stopwatch.paused():
                self._show()
        elif not saver.busy and self.save_due(stopwatch.seconds):
            saver.begin(self._snapshot())
        elif self.quality_monitor.due(stopwatch.seconds):
            with stopwatch.paused():
                self.quality_monitor.measure(stopwatch.seconds, model_card(trainer), interruption.came)
            self.reading_due.next = 0.0  # so that the journal has the score at the step it belongs to
        return over

    def _save_last(self, interruption: Interruption, saver: Saver) -> None:
        if interruption.signal_number is not None:
            self.callback.noted("stopping: saving")
        with self._announced("saving the run"):
            saver.wait()
            self._snapshot(last=True)()

    def _finish(self, interruption: Interruption) -> None:
        """Draw the last sample grid and measure the quality of the last model."""
        if self.diagnosis_monitor.over:
            self._measure_for_auto(interruption)
            return
        self._show_announced()
        if why := self._why_ended():
            self.run.record("stopped", self.trainer.images_seen, why)
            self.callback.noted(f"stopped: {why}")
        self.quality_monitor.finish(model_card(self.trainer), interruption.came)
        self._journal_quality()

    def _raise_interruption(self, interruption: Interruption) -> None:
        """Raise the cause of an early end, after the run was saved: a signal, or a callback's exception."""
        failure, seen = self.callback.failure, f"{self.trainer.images_seen:,} images"
        hint = f"Resume: ganzfeld resume {in_shell(self.run.path)}"
        if interruption.signal_number is not None:
            raise Interrupted(
                f"stopped after {seen}; saved in {self.run.path}",
                hint,
                signal_number=interruption.signal_number,
            ) from failure
        if failure is not None:
            failure.add_note(f"The run was saved after {seen}. {hint}")
            raise failure

    def _measure_for_auto(self, interruption: Interruption) -> None:
        """Measure quality where the auto driver has to decide, so that it can compare the two runs."""
        last = self.run.journal[-1]
        if has_diverged(self.run) or "kernel_distance" in last.get("health", {}):
            return
        self.quality_monitor.measure(self.stopwatch.seconds, model_card(self.trainer), interruption.came)
        self._journal_quality()

    def _journal_quality(self) -> None:
        """Write a measurement that came after the last step into the journal."""
        readings, entries = self.quality_monitor.pop_readings(), self.run.journal
        if readings and entries:  # a resumed run may have lost its journal
            last = {name: value for name, value in entries[-1].items() if name != "health"}
            with Journal(self.run.folder) as journal, self.journal_patience:
                journal.write(last | {"health": readings})

    def _over(self, interruption: Interruption) -> bool:
        return self._spent() or interruption.came() or bool(self._why_ended()) or self.diagnosis_monitor.over

    def _why_ended(self) -> str:
        """Return why ``--stop`` ends the run; an empty string if it does not."""
        return self.quality_monitor.stop_reason or self.diagnosis_monitor.decayed

    def _spent(self) -> bool:
        return self.closing or self.budget.spent(self.trainer.images_seen, self.stopwatch.seconds)

    def _plan(self) -> None:
        """Plan a new horizon for the schedules if one is needed; it is stored before it is used."""
        trainer = self.trainer
        horizon = self.planner.next(trainer.images_seen, self.stopwatch.seconds, trainer.horizons)
        if horizon is not None:
            horizons = (*trainer.horizons, horizon)
            with self.stopwatch.paused(), self.plan_patience:
                self.run.write_metadata(self.run.metadata.changed(horizons=horizons))
                trainer.set_horizons(horizons)

    def _note_step(self) -> None:
        """Record the end of a step in the stopwatch and the speedometer."""
        if suspended_s := self.stopwatch.lap():
            self.callback.noted(f"training stood still for {duration(suspended_s)}, which does not count")
        self.planner.speed.note(self.trainer.images_seen, self.stopwatch.seconds)

    def _read(self, journal: Journal, scalars: StepScalars, last: bool) -> None:
        """Write losses and due readings to the journal, diagnose the run, and report its progress."""
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
                entry["health"] = self.health_monitor.take_readings(seconds, everything=last)
        if quality_readings := self.quality_monitor.pop_readings():
            entry["health"] = entry.get("health", {}) | quality_readings
        with self.journal_patience:
            journal.write(entry)
        if "health" in entry:
            with self.stopwatch.paused():
                self.diagnosis_monitor.update(has_new_score=bool(quality_readings))
        if not scalars.all_finite:
            raise TrainingFailed(NOT_FINITE)
        speed = self.planner.speed.images_per_s
        remaining = self.budget.remaining_s(trainer.images_seen, seconds, speed)
        if remaining is not None:
            remaining += self.quality_monitor.finish_s() + self.grid_s
        self.callback.read(
            Progress(
                trainer.images_seen,
                seconds,
                speed,
                remaining,
                scalars.loss_generator,
                scalars.loss_discriminator,
                self.diagnosis_monitor.state,
                self.quality_monitor.latest,
            )
        )

    @contextlib.contextmanager
    def _announced(self, what: str) -> Iterator[None]:
        """Report the work of the block to the callback, since no step is made meanwhile."""
        self.callback.preparing(0, 1, what)
        yield
        self.callback.preparing(1, 1, what)

    def _show_announced(self) -> None:
        """Draw a grid before the first step or after the last, and record how long that takes."""
        begun = time.perf_counter()
        with self._announced("drawing the sample grid"):
            self._show()
        self.grid_s = time.perf_counter() - begun

    def _show(self) -> None:
        content = sample_grid(self.trainer)
        with self.grid_patience:
            self.run.write_sheet(self.trainer.images_seen, content, self.callback.noted)

    def _snapshot(self, *, last: bool = False) -> Callable[[], None]:
        best = self.quality_monitor.best
        seconds = self.stopwatch.seconds
        return snapshot(self.trainer, self.run, seconds, best.images_seen if best else None, last=last)

    def _roll_back(self, why: str, saver: Saver) -> None:
        with contextlib.suppress(TrainingFailed):  # the state being saved may have diverged already
            saver.wait()
        roll_back(self.trainer, self.run, self.callback, why)
        self.rollbacks += 1
        self.planner = Planner(self.budget, self.trainer.recipe.batch)
        self.health_monitor = HealthMonitor(self.trainer)

    def _leaves_to_auto(self) -> bool:
        """Record a divergence in the journal; return whether the auto driver has something to decide."""
        if not self.run.metadata.auto:
            return False
        losses = dict.fromkeys(("loss_generator", "loss_discriminator"), math.nan)
        position = {"step": self.trainer.index, "images_seen": self.trainer.images_seen}
        with Journal(self.run.folder) as journal:
            journal.write({**position, "seconds": round(self.stopwatch.seconds, 3), **losses})
        self.diagnosis_monitor.update()
        return self.diagnosis_monitor.over
