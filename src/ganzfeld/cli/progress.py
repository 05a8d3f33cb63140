"""Progress of a training: a moving line on a terminal, plain lines elsewhere; always on stderr."""

import os
import sys
import time

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from ganzfeld.cli.speech import tell
from ganzfeld.launch import launch
from ganzfeld.printable import printable
from ganzfeld.training.clock import duration
from ganzfeld.training.run import Run
from ganzfeld.training.watcher import Reading, Watcher

PLAIN_EVERY_S = 10.0
WIDEST_BAR = 24
LEAST_BAR = 6
SPACES = 2
"""Columns between description, bar and state."""

ABANDONED = "stopped at once, without saving again"


def watcher() -> Watcher:
    """The watcher that fits where stderr goes; of several processes only the first one shows anything."""
    if not launch().speaks:
        return Watcher()
    moving = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
    return MovingLine() if moving else PlainLines()


class PlainLines(Watcher):
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
        """A line now and then while pictures are read."""
        if done == total or self._due():
            tell(f"{what}: {done:,} of {total:,}")

    def started(self, run: Run, summary: str) -> None:
        """What and where."""
        tell(f"training on {summary}")
        tell(f"into {run.path}")
        self._last = 0.0

    def read(self, reading: Reading) -> None:
        """A line every ten seconds."""
        if self._due():
            tell(line(reading))

    def noted(self, text: str) -> None:
        """A line of its own."""
        tell(text)

    def abandoned(self) -> None:
        """A line of its own."""
        tell(ABANDONED)


class MovingLine(Watcher):
    """A bar with speed, time left and losses."""

    def __init__(self) -> None:
        self._column = BarColumn(bar_width=WIDEST_BAR)
        self._bar = Progress(
            TextColumn("{task.description}"),
            self._column,
            TextColumn("{task.fields[state]}"),
            console=Console(stderr=True, highlight=False),
            transient=True,
        )
        self._task: TaskID | None = None

    def preparing(self, done: int, total: int, what: str) -> None:
        """The bar counts pictures."""
        self._show(what, done, total, [f"{done:,} of {total:,}"])
        if done == total:
            self._end()

    def started(self, run: Run, summary: str) -> None:
        """What and where, above the bar."""
        self._end()
        tell(f"training on {summary}")
        tell(f"into {run.path}")

    def read(self, reading: Reading) -> None:
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


def line(reading: Reading) -> str:
    """A reading in words."""
    return shorter_and_shorter(reading)[0]


def shorter_and_shorter(reading: Reading) -> list[str]:
    """A reading in words: everything, then without what matters least, for terminals of any width."""
    seen = f"{reading.images_seen:,}"
    speed = [f"{reading.images_per_s:,.0f}/s"] if reading.images_per_s else []  # not known from the start
    left = [] if reading.remaining_s is None else [f"{duration(reading.remaining_s)} left"]
    losses = f"G {reading.loss_generator:.3f} D {reading.loss_discriminator:.3f}"
    state = [reading.state] if reading.state else []
    parts = [
        [f"{seen} pictures", *speed, *left, f"loss {losses}", *state],
        [seen, *speed, *left, losses, *state],
        [seen, *speed, *left, *state],
        [*left, *state],
        [seen, *speed, *left],
        left or [seen],
    ]
    return [", ".join(each) for each in parts]
