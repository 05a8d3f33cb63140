"""The progress display on stderr: a moving line on a terminal and in a notebook, plain lines elsewhere."""

import time
from collections.abc import Callable
from dataclasses import replace

from rich.console import Console
from rich.progress import BarColumn, TaskID, TextColumn
from rich.progress import Progress as Bar

from ganzfeld.errors import UsageError
from ganzfeld.launch import launch
from ganzfeld.printable import duration, printable
from ganzfeld.progress import NOTEBOOK_EVERY_S, PLAIN_EVERY_S, MovingText, display, require_progress, tell
from ganzfeld.runs.run import Run
from ganzfeld.training.callbacks import TRAINING, Progress, TrainCallback

ProgressCallback = Callable[[Progress], object]
WIDEST_BAR = 24
LEAST_BAR = 6
SPACES = 2
"""Number of blank columns between description, bar and state."""

ABANDONED = "stopped at once, without saving again"


def callback_for(
    progress: bool | ProgressCallback | None, train_callback: TrainCallback | None = None
) -> TrainCallback:
    """Return the callback of a run: ``train_callback`` if given, else a display as ``progress`` specifies.

    Of several processes, only the first one shows anything or calls a function. Raises ``UsageError`` for
    other values, and if both arguments are callbacks.
    """
    require_progress(progress)
    if train_callback is not None and not isinstance(train_callback, TrainCallback):
        raise UsageError(
            f"callback cannot be {train_callback!r}", "Give a ganzfeld.training.callbacks.TrainCallback."
        )
    if train_callback is not None:
        if callable(progress):
            raise UsageError("progress is a function and callback is given too", "Give only one of them.")
        return train_callback
    if not launch().speaks or progress is None or progress is False:
        return TrainCallback()
    if progress is not True:
        return FunctionCallback(progress)
    return {"terminal": MovingLine, "notebook": NotebookLine, "lines": PlainLines}[display()]()


class FunctionCallback(TrainCallback):
    """Calls a function with the progress of the run."""

    def __init__(self, callback: ProgressCallback) -> None:
        self._callback = callback
        self._last = Progress(0, 0.0, 0.0, None, None, None)

    def preparing(self, done: int, total: int, what: str) -> None:
        """Call the function with the last progress and the current activity."""
        self._callback(replace(self._last, activity=what, done=done, total=total))

    def read(self, progress: Progress) -> None:
        """Call the function with the progress."""
        self._last = progress
        self._callback(progress)


class PlainLines(TrainCallback):
    """Prints a line every ten seconds, without control characters."""

    def __init__(self) -> None:
        self._last = 0.0

    def _due(self) -> bool:
        now = time.monotonic()
        if now - self._last < PLAIN_EVERY_S and self._last:
            return False
        self._last = now
        return True

    def preparing(self, done: int, total: int, what: str) -> None:
        """Print a line from time to time, when all pieces are done, and when work without pieces begins."""
        if done == (0 if total == 1 else total) or (done < total and self._due()):
            tell(_counted(done, total, what))

    def started(self, run: Run, summary: str) -> None:
        """Print the summary and the run folder."""
        tell(f"training on {summary}")
        tell(f"into {run.path}")
        self._last = 0.0

    def read(self, progress: Progress) -> None:
        """Print a line every ten seconds."""
        if self._due():
            tell(line(progress))

    def noted(self, text: str) -> None:
        """Print the note."""
        tell(text)

    def abandoned(self) -> None:
        """Print that nothing more is saved."""
        tell(ABANDONED)


class MovingLine(TrainCallback):
    """Shows a bar with speed, remaining time and losses."""

    def __init__(self) -> None:
        self._column = BarColumn(bar_width=WIDEST_BAR)
        self._bar = Bar(
            TextColumn("{task.description}"),
            self._column,
            TextColumn("{task.fields[state]}"),
            console=Console(stderr=True, highlight=False),
            transient=True,
        )
        self._task: TaskID | None = None

    def preparing(self, done: int, total: int, what: str) -> None:
        """Show the number of pieces done in the bar."""
        in_pieces = total > 1
        self._show(what, done, total if in_pieces else None, [f"{done:,} of {total:,}" if in_pieces else ""])
        if done == total:
            self._end()

    def started(self, run: Run, summary: str) -> None:
        """Print the summary and the run folder above the bar."""
        self._end()
        tell(f"training on {summary}")
        tell(f"into {run.path}")

    def read(self, progress: Progress) -> None:
        """Show the share of the run that is done in the bar."""
        remaining = progress.remaining_s
        total = progress.seconds + remaining if remaining is not None else None
        self._show("training", progress.seconds, total, shorter_and_shorter(progress))
        if remaining == 0:
            self._end()

    def noted(self, text: str) -> None:
        """Print the note above the bar."""
        self._bar.console.print(printable(text), markup=False)

    def ended(self) -> None:
        """Remove the bar."""
        self._end()

    def abandoned(self) -> None:
        """Remove the bar, restore the cursor and print that nothing more is saved."""
        self._end()
        tell(ABANDONED)

    def _show(self, what: str, done: float, total: float | None, states: list[str]) -> None:
        """Show the first state that leaves enough columns for a bar, or else the last state."""
        columns = self._bar.console.width - len(what) - SPACES
        state = next((text for text in states if len(text) + LEAST_BAR <= columns), states[-1])
        self._column.bar_width = max(1, min(WIDEST_BAR, columns - len(state)))
        if self._task is None:
            self._task = self._bar.add_task(what, total=total, state=state)
            self._bar.start()
        self._bar.update(self._task, description=what, completed=done, total=total, state=state)

    def _end(self) -> None:
        if self._task is not None:
            self._bar.stop()
            self._bar.remove_task(self._task)
            self._task = None


class NotebookLine(TrainCallback):
    """Shows one line that is overwritten; notes stay above it, and so does the last progress."""

    def __init__(self) -> None:
        self._text = MovingText()
        self._shown_at = 0.0
        self._last: Progress | None = None

    def preparing(self, done: int, total: int, what: str) -> None:
        """Show the number of pieces done in the line, at most twice a second."""
        if done == total or time.monotonic() - self._shown_at >= NOTEBOOK_EVERY_S:
            self._shown_at = time.monotonic()
            self._text.show(_counted(done, total, what))

    def started(self, run: Run, summary: str) -> None:
        """Print the summary and the run folder above the line."""
        self.noted(f"training on {summary}")
        self.noted(f"into {run.path}")

    def read(self, progress: Progress) -> None:
        """Show the progress in the line."""
        self._last = progress
        self._text.show(f"{TRAINING}: {line(progress)}")

    def noted(self, text: str) -> None:
        """Print the note above the line."""
        self._text.clear()
        tell(text)

    def ended(self) -> None:
        """Remove the line and print the last progress."""
        self._text.clear()
        if self._last is not None:
            tell(f"{TRAINING}: {line(self._last)}")

    def abandoned(self) -> None:
        """Print that nothing more is saved."""
        self.noted(ABANDONED)


def _counted(done: int, total: int, what: str) -> str:
    """Return the progress of an activity as text."""
    return f"{what}: {done:,} of {total:,}" if total > 1 else what


def line(progress: Progress) -> str:
    """Return the progress of a run as one line of text."""
    return shorter_and_shorter(progress)[0]


def shorter_and_shorter(progress: Progress) -> list[str]:
    """Return the progress of a run as texts of decreasing length, for terminals of any width.

    The first one has everything; each next one leaves out what matters least.
    """
    seen = f"{progress.images_seen:,}"
    speed = [f"{progress.images_per_s:,.0f}/s"] if progress.images_per_s else []  # unknown at first
    left = [] if progress.remaining_s is None else [f"{duration(progress.remaining_s)} left"]
    numbers = {"G": progress.loss_generator, "D": progress.loss_discriminator}
    losses = " ".join(f"{name} {value:.3f}" for name, value in numbers.items() if value is not None)
    state = [progress.state] if progress.state else []
    lines = [
        [f"{seen} images", *speed, *left, f"loss {losses}", *state],
        [seen, *speed, *left, losses, *state],
        [seen, *speed, *left, *state],
        [*left, *state],
        [seen, *speed, *left],
        left or [seen],
    ]
    return [", ".join(part) for part in lines]
