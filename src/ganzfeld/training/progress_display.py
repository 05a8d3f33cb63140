"""Progress of a run: a moving line on a terminal and in a notebook, plain lines elsewhere, on stderr."""

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
"""Columns between description, bar and state."""

ABANDONED = "stopped at once, without saving again"


def callback_for(
    progress: bool | ProgressCallback | None, train_callback: TrainCallback | None = None
) -> TrainCallback:
    """What watches a run: ``train_callback``, or a display for ``progress``.

    Of several processes only the first one shows anything or calls back. Raises ``UsageError`` for what is
    none of these, and for a function as ``progress`` together with a callback.
    """
    require_progress(progress)
    if train_callback is not None and not isinstance(train_callback, TrainCallback):
        raise UsageError(
            f"callback cannot be {train_callback!r}", "Give a ganzfeld.training.callbacks.TrainCallback."
        )
    if train_callback is not None:
        if callable(progress):
            raise UsageError("progress is a function and a callback is given too", "Give one of the two.")
        return train_callback
    if not launch().speaks or progress is None or progress is False:
        return TrainCallback()
    if progress is not True:
        return Calling(progress)
    return {"terminal": MovingLine, "notebook": NotebookLine, "lines": PlainLines}[display()]()


class Calling(TrainCallback):
    """Calls a function with where the run stands."""

    def __init__(self, callback: ProgressCallback) -> None:
        self._callback = callback
        self._last = Progress(0, 0.0, 0.0, None, None, None)

    def preparing(self, done: int, total: int, what: str) -> None:
        """Where the run stood last, with what is being done."""
        self._callback(replace(self._last, activity=what, done=done, total=total))

    def read(self, reading: Progress) -> None:
        """Where it stands."""
        self._last = reading
        self._callback(reading)


class PlainLines(TrainCallback):
    """A line every ten seconds; no control characters."""

    def __init__(self) -> None:
        self._last = 0.0

    def _due(self) -> bool:
        now = time.monotonic()
        if now - self._last < PLAIN_EVERY_S and self._last:
            return False
        self._last = now
        return True

    def preparing(self, done: int, total: int, what: str) -> None:
        """A line now and then while pieces are done, and one when a thing begins that has none."""
        if done == (0 if total == 1 else total) or (done < total and self._due()):
            tell(_counted(done, total, what))

    def started(self, run: Run, summary: str) -> None:
        """What and where."""
        tell(f"training on {summary}")
        tell(f"into {run.path}")
        self._last = 0.0

    def read(self, reading: Progress) -> None:
        """A line every ten seconds."""
        if self._due():
            tell(line(reading))

    def noted(self, text: str) -> None:
        """A line of its own."""
        tell(text)

    def abandoned(self) -> None:
        """A line of its own."""
        tell(ABANDONED)


class MovingLine(TrainCallback):
    """A bar with speed, time left and losses."""

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
        """The bar counts pieces."""
        in_pieces = total > 1
        self._show(what, done, total if in_pieces else None, [f"{done:,} of {total:,}" if in_pieces else ""])
        if done == total:
            self._end()

    def started(self, run: Run, summary: str) -> None:
        """What and where, above the bar."""
        self._end()
        tell(f"training on {summary}")
        tell(f"into {run.path}")

    def read(self, reading: Progress) -> None:
        """The bar shows the share of the run that is done."""
        remaining = reading.remaining_s
        total = reading.seconds + remaining if remaining is not None else None
        self._show("training", reading.seconds, total, shorter_and_shorter(reading))
        if remaining == 0:
            self._end()

    def noted(self, text: str) -> None:
        """A line above the bar."""
        self._bar.console.print(printable(text), markup=False)

    def ended(self) -> None:
        """The bar goes away."""
        self._end()

    def abandoned(self) -> None:
        """The bar goes away, and the cursor comes back."""
        self._end()
        tell(ABANDONED)

    def _show(self, what: str, done: float, total: float | None, states: list[str]) -> None:
        """Show the first of the states that leaves room for a bar, or else the last."""
        room = self._bar.console.width - len(what) - SPACES
        state = next((each for each in states if len(each) + LEAST_BAR <= room), states[-1])
        self._column.bar_width = max(1, min(WIDEST_BAR, room - len(state)))
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
    """One line that is written over; what is worth a line of its own stays above it, and the last reading."""

    def __init__(self) -> None:
        self._text = MovingText()
        self._shown_at = 0.0
        self._last: Progress | None = None

    def preparing(self, done: int, total: int, what: str) -> None:
        """The line counts pieces, twice a second at most."""
        if done == total or time.monotonic() - self._shown_at >= NOTEBOOK_EVERY_S:
            self._shown_at = time.monotonic()
            self._text.show(_counted(done, total, what))

    def started(self, run: Run, summary: str) -> None:
        """What and where, above the line."""
        self.noted(f"training on {summary}")
        self.noted(f"into {run.path}")

    def read(self, reading: Progress) -> None:
        """The line says where the run stands."""
        self._last = reading
        self._text.show(f"{TRAINING}: {line(reading)}")

    def noted(self, text: str) -> None:
        """A line of its own."""
        self._text.clear()
        tell(text)

    def ended(self) -> None:
        """The last reading stays."""
        self._text.clear()
        if self._last is not None:
            tell(f"{TRAINING}: {line(self._last)}")

    def abandoned(self) -> None:
        """A line of its own."""
        self.noted(ABANDONED)


def _counted(done: int, total: int, what: str) -> str:
    """How far something is, in words."""
    return f"{what}: {done:,} of {total:,}" if total > 1 else what


def line(reading: Progress) -> str:
    """A reading in words."""
    return shorter_and_shorter(reading)[0]


def shorter_and_shorter(reading: Progress) -> list[str]:
    """A reading in words: everything, then without what matters least, for terminals of any width."""
    seen = f"{reading.images_seen:,}"
    speed = [f"{reading.images_per_s:,.0f}/s"] if reading.images_per_s else []  # not known from the start
    left = [] if reading.remaining_s is None else [f"{duration(reading.remaining_s)} left"]
    numbers = {"G": reading.loss_generator, "D": reading.loss_discriminator}
    losses = " ".join(f"{name} {value:.3f}" for name, value in numbers.items() if value is not None)
    state = [reading.state] if reading.state else []
    parts = [
        [f"{seen} images", *speed, *left, f"loss {losses}", *state],
        [seen, *speed, *left, losses, *state],
        [seen, *speed, *left, *state],
        [*left, *state],
        [seen, *speed, *left],
        left or [seen],
    ]
    return [", ".join(each) for each in parts]
