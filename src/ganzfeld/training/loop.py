"""The loop: when to step, when to look, when to save, when to end.

The mathematics is in ``step.py``, the state in ``trainer.py``, the files in ``run.py``; nothing is printed.
"""

import math
import shlex
from collections import deque
from typing import Any

import ganzfeld
from ganzfeld.durable import write_json
from ganzfeld.errors import Interrupted, TrainingFailed
from ganzfeld.model import Card, grid, pictures_of_seeds, save, write_png
from ganzfeld.networks import Generator
from ganzfeld.training.budget import Budget
from ganzfeld.training.clock import Due, Stopwatch
from ganzfeld.training.interruption import Interruption
from ganzfeld.training.journal import Journal
from ganzfeld.training.report import write_report
from ganzfeld.training.run import Run
from ganzfeld.training.trainer import Trainer, generator_card, is_finite, readings
from ganzfeld.training.watcher import Reading, Watcher

READING_EVERY_S = 1.0
SHEET_EVERY_S = 10.0
SHEET_EVERY_SHARE = 0.15
SHEET_SEEDS = range(64)


class Loop:
    """One training run from its first step to its last, into its folder."""

    def __init__(
        self, trainer: Trainer, run: Run, budget: Budget, watcher: Watcher, checkpoint_seconds: float = 30.0
    ) -> None:
        self.trainer = trainer
        self.run = run
        self.budget = budget
        self.watcher = watcher
        self.stopwatch = Stopwatch()
        self.speed = Speedometer()
        self.reading_due = Due(READING_EVERY_S)
        self.sheet_due = Due(SHEET_EVERY_S, SHEET_EVERY_SHARE)
        self.save_due = Due(checkpoint_seconds)

    def go(self) -> None:
        """Train until the budget is spent.

        Raises ``TrainingFailed`` when a number stops being finite (what was saved before stays), and
        ``Interrupted`` after saving when a signal came.
        """
        with (
            Journal(self.run.path / "journal.jsonl") as journal,
            Interruption(self.watcher.abandoned) as interruption,
        ):
            try:
                self._show()
                self._train(journal, interruption)
                if interruption.signal_number is not None:
                    self.watcher.noted("stopping: saving the model")
                self._show()
            finally:
                self.watcher.ended()
                write_report(self.run)
        if interruption.signal_number is not None:
            raise Interrupted(
                f"stopped after {self.trainer.images_seen:,} pictures; the model is saved in {self.run.path}",
                f"Look at it: ganzfeld sample {shlex.quote(str(self.run.path))}",
                signal_number=interruption.signal_number,
            )

    def _train(self, journal: Journal, interruption: Interruption) -> None:
        trainer, stopwatch = self.trainer, self.stopwatch
        for shown_already in (self.sheet_due, self.save_due):
            shown_already(0.0)
        stopwatch.start()
        over = False
        while not over:
            outcome = trainer.advance()
            over = self._spent() or interruption.signal_number is not None
            if self.reading_due(stopwatch.seconds) or over:
                self._read(journal, readings(outcome))
                self._plan()
            if over:
                stopwatch.stop()
            elif self.sheet_due(stopwatch.seconds):
                stopwatch.stop()
                self._show()
                stopwatch.start()
            elif self.save_due(stopwatch.seconds):
                stopwatch.stop()
                self._save(trainer.shipped())
                stopwatch.start()

    def _spent(self) -> bool:
        return self.budget.spent(self.trainer.images_seen, self.stopwatch.seconds)

    def _plan(self) -> None:
        """Fix the horizon of the schedules as soon as it can be known, once, and write it down."""
        if self.trainer.horizon is None:
            seen, seconds = self.trainer.images_seen, self.stopwatch.seconds
            self.trainer.horizon = self.budget.horizon(seen, seconds, self.speed.images_per_s)
            if self.trainer.horizon is not None:
                write_json(self.run.path / "run.json", self.run.facts | {"horizon": self.trainer.horizon})

    def _read(self, journal: Journal, values: dict[str, float]) -> None:
        trainer, seconds = self.trainer, self.stopwatch.seconds
        self.speed.note(trainer.images_seen, seconds)
        entry: dict[str, Any] = {
            "step": trainer.index,
            "images_seen": trainer.images_seen,
            "seconds": round(seconds, 3),
            **values,
        }
        journal.write(entry)
        broken = [name for name, value in values.items() if not math.isfinite(value)]
        if broken:
            raise self._failed(f"{' and '.join(broken)} stopped being finite")
        remaining = self.budget.remaining_s(trainer.images_seen, seconds, self.speed.images_per_s)
        self.watcher.read(
            Reading(
                trainer.images_seen,
                seconds,
                self.speed.images_per_s,
                remaining,
                values["loss_generator"],
                values["loss_discriminator"],
            )
        )

    def _show(self) -> None:
        """A sheet of pictures, with the model that made it."""
        shipped = self.trainer.shipped()
        self._save(shipped)
        prior = self.trainer.recipe.latent.prior
        sheet = grid(pictures_of_seeds(shipped, SHEET_SEEDS, prior=prior), columns=8)
        write_png(self.run.path / "samples" / f"{self.trainer.images_seen}.png", sheet)

    def _save(self, shipped: Generator) -> None:
        trainer = self.trainer
        if not is_finite(shipped):
            raise self._failed("the weights stopped being finite")
        card = Card(
            ganzfeld=ganzfeld.__version__,
            generator=generator_card(trainer.recipe, trainer.pictures.channels),
            prior=trainer.recipe.latent.prior,
            recipe=trainer.recipe.name,
            data=trainer.pictures.name,
            images_seen=trainer.images_seen,
            seed=trainer.seed,
        )
        save(self.run.path / "model" / "last", shipped, card)

    def _failed(self, what: str) -> TrainingFailed:
        return TrainingFailed(
            f"training diverged: {what} after {self.trainer.images_seen:,} pictures",
            f"The last good model is kept in {self.run.path / 'model' / 'last'}."
            " Try lower learning rates, e.g. --set generator.optimizer.lr=1e-4"
            " --set discriminator.optimizer.lr=1e-4.",
        )


class Speedometer:
    """Pictures per second over the last half minute of training, leaving out the first step."""

    def __init__(self, window: int = 30) -> None:
        self._notes: deque[tuple[int, float]] = deque(maxlen=window)

    def note(self, images_seen: int, seconds: float) -> None:
        """Where the training stands now."""
        self._notes.append((images_seen, seconds))

    @property
    def images_per_s(self) -> float:
        """The speed; 0 until there are two notes."""
        (first_images, first_s), (last_images, last_s) = self._notes[0], self._notes[-1]
        return (last_images - first_images) / (last_s - first_s) if last_s > first_s else 0.0
