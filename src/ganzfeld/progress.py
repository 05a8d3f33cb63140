"""How far a piece of work is, shown on stderr: for the command line and for Python alike.

    terminal   one line that is written over
    notebook   the same line without cursor codes, which notebooks do not know
    otherwise  plain lines now and then

Standard library only, so that ``check`` answers at once.
"""

import os
import sys
import time
from collections.abc import Callable
from typing import Literal

from ganzfeld.errors import UsageError
from ganzfeld.launch import launch
from ganzfeld.printable import printable

PLAIN_EVERY_S = 10.0
NOTEBOOK_EVERY_S = 0.5
"""A notebook keeps everything that was ever written to its line."""

CountCallback = Callable[[int, int, str], object]
"""Called as ``callback(done, total, what)`` now and then while a piece of work is done."""

Display = Literal["terminal", "notebook", "lines"]


def display() -> Display:
    """Where stderr goes."""
    # The stream of an IPython kernel: its module is loaded wherever there is one, so it need not be imported.
    kernel = sys.modules.get("ipykernel.iostream")
    if kernel is not None and isinstance(sys.stderr, kernel.OutStream):
        return "notebook"
    return "terminal" if sys.stderr.isatty() and os.environ.get("TERM") != "dumb" else "lines"


def tell(text: str) -> None:
    """Print a line on the way, for people."""
    print(printable(text), file=sys.stderr, flush=True)


class MovingText:
    """A line on stderr that is written over by spaces and carriage returns alone."""

    def __init__(self) -> None:
        self._length = 0

    def show(self, text: str) -> None:
        """Show the text in place of the one before."""
        print(f"\r{text.ljust(self._length)}", end="", file=sys.stderr, flush=True)
        self._length = len(text)

    def clear(self) -> None:
        """Leave an empty row, if anything was shown."""
        if self._length:
            self.show("")
            print("\r", end="", file=sys.stderr, flush=True)


class CountDisplay:
    """Shows how far a piece of work is; called as ``progress(done, total, what)``."""

    def __init__(self) -> None:
        self._display = display()
        self._every_s = {"terminal": 0.0, "notebook": NOTEBOOK_EVERY_S, "lines": PLAIN_EVERY_S}[self._display]
        self._shown_at = time.monotonic()
        self._what = ""
        self._text = MovingText()

    def __call__(self, done: int, total: int, what: str) -> None:
        """Show it, unless the last time was a moment ago; a line that moves goes away at the end."""
        moves = self._display != "lines"
        if moves and done >= total:
            self._text.clear()
        elif (moves and what != self._what) or time.monotonic() - self._shown_at >= self._every_s:
            self._shown_at, self._what = time.monotonic(), what
            line = f"{what}: {done:,} of {total:,}"
            self._text.show(line) if moves else tell(line)


def counting(progress: bool | CountCallback | None) -> CountCallback:
    """What is called while a piece of work is done: a display for True, a callback as it is, or nothing.

    Of several processes that train together only the first one shows anything or calls back. Raises
    ``UsageError`` for anything else.
    """
    require_progress(progress)
    if progress is None or progress is False or not launch().speaks:
        return silent
    return CountDisplay() if progress is True else progress


def require_progress(progress: object) -> None:
    """Raise ``UsageError`` for a ``progress`` that is not True, False, None or something to call."""
    if progress is not None and not isinstance(progress, bool) and not callable(progress):
        raise UsageError(
            f"progress cannot be {progress!r}", "Give True, False, or a function that is called on the way."
        )


def silent(done: int, total: int, what: str) -> None:
    """Show nothing."""


def unheard(text: str) -> None:
    """Tell nobody."""
