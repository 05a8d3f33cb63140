"""Options that override those stored in a run, and whether the run is over with them."""

from dataclasses import dataclass, field, replace

from ganzfeld.compute.distributed import ALONE, Ranks
from ganzfeld.compute.engine import Engine, choose_engine
from ganzfeld.data import ImageDataset, open_images
from ganzfeld.errors import DataError, GanzfeldError
from ganzfeld.model import load_model
from ganzfeld.options import ResumeOptions
from ganzfeld.recipes import Recipe
from ganzfeld.runs import Run
from ganzfeld.runs.budget import Budget
from ganzfeld.runs.checkpoint import Position
from ganzfeld.runs.metadata import Environment, RunMetadata, Trial
from ganzfeld.runs.report.quality_words import can_still_be_scored
from ganzfeld.training.callbacks import TrainCallback


@dataclass(frozen=True)
class Overrides:
    """Options that override those stored in a run, and what ``--auto`` adds to them.

    ``trials`` are the trials of a fork in which a remedy is tried. ``keeps_progress``: the end of the run
    only comes nearer, so the schedules continue from their current progress.
    """

    options: ResumeOptions = field(default_factory=ResumeOptions)
    ranks: Ranks = ALONE
    trials: tuple[Trial, ...] = ()
    keeps_progress: bool = False

    @property
    def has_end(self) -> bool:
        """True if they give the run another end."""
        return self.options.minutes is not None or self.options.images is not None

    @property
    def without_end(self) -> "Overrides":
        """The same overrides, with the end that the run has."""
        return self._with_end(None, None)

    def shortened(self, metadata: RunMetadata, images: int, minutes: float) -> "Overrides":
        """Return the overrides with the cost of a trial, ``images`` and ``minutes``, taken off the budget."""
        budget = self.budget(metadata)
        shorter = self._with_end(
            None if budget.minutes is None else max(1e-9, budget.minutes - minutes),
            None if budget.images is None else max(1, budget.images - images),
        )
        return replace(shorter, keeps_progress=not self.has_end or self.keeps_progress)

    def budget(self, metadata: RunMetadata) -> Budget:
        """Return the budget of the run. Raises ``UsageError`` for numbers that are not above 0."""
        if not self.has_end:
            return Budget(metadata.minutes, metadata.images)
        return Budget(self.options.minutes, self.options.images)

    def dataset(self, metadata: RunMetadata, recipe: Recipe, callback: TrainCallback) -> ImageDataset:
        """Open the images of the run at their current path. Raises ``DataError`` if they cannot be used."""
        path = metadata.data if self.options.data is None else self.options.data
        metadata = metadata.with_labels_at(self.options.labels)
        reading = metadata.reading_options(by_class=recipe.classes != "none")
        try:
            return open_images(path, size=recipe.size, **reading, progress=callback.preparing)
        except DataError as error:
            hint = "If the images were moved, name their new path with --data."
            raise DataError(error.message, f"{error.hint} {hint}".strip()) from None

    def engine(self, then: Environment) -> Engine:
        """Return the engine for the overriding device or that of the run, in the precision of the run."""
        return choose_engine(self.options.device or then.device, then.precision)

    def _with_end(self, minutes: float | None, images: int | None) -> "Overrides":
        return replace(self, options=replace(self.options, minutes=minutes, images=images))


def is_finished(run: Run, overrides: Overrides) -> bool:
    """Check whether the run is over and everything written at its end is there. Changes nothing."""
    position = _checked_position(run)
    if position is None or not _is_over(run, overrides, position):
        return False
    try:
        images_seen = position.images_seen
        stale: list[str] = []  # resuming writes both cards again
        last = load_model(run.path / "model" / "last", stale.append)
        is_saved = not stale and last.card.images_seen == images_seen
    except GanzfeldError:
        return False
    last_grid = run.path / "samples" / f"{images_seen}.png"
    is_shown = last_grid.exists() and (run.path / "report.html").exists()
    return is_saved and is_shown and not can_still_be_scored(run, images_seen)


def is_over(run: Run, overrides: Overrides) -> bool:
    """Check whether the run has made its last step, even if something is still to be written.

    That is so when the budget is spent, or when ``--stop`` has ended the run and no other end is requested.
    """
    position = _checked_position(run)
    return position is not None and _is_over(run, overrides, position)


def _checked_position(run: Run) -> Position | None:
    """Return the position of the newest intact checkpoint, from which the run resumes; None without one."""
    try:
        return run.checked_position
    except GanzfeldError:
        return None


def _is_over(run: Run, overrides: Overrides, position: Position) -> bool:
    is_stopped = not overrides.has_end and run.metadata.stopped is not None
    return is_stopped or overrides.budget(run.metadata).spent(position.images_seen, position.seconds)
