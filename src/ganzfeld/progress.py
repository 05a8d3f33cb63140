"""Progress displays on stderr, for the command line and for Python.

    terminal   one line that is rewritten in place
    notebook   the same line without cursor codes, which notebooks do not support
    otherwise  a plain line every few seconds

Standard library only, so that ``check`` starts quickly.
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
"""Less often than on a terminal: a notebook stores every text that was written to the line."""

CountCallback = Callable[[int, int, str], object]
"""Called as ``callback(done, total, what)`` from time to time during a task."""

Display = Literal["terminal", "notebook", "lines"]


def display() -> Display:
    """Return the kind of display that stderr is."""
    # In an IPython kernel this module is loaded already, so it need not be imported here.
    kernel = sys.modules.get("ipykernel.iostream")
    if kernel is not None and isinstance(sys.stderr, kernel.OutStream):
        return "notebook"
    return "terminal" if sys.stderr.isatty() and os.environ.get("TERM") != "dumb" else "lines"


def tell(text: str) -> None:
    """Print a line of progress or a note on stderr."""
    print(printable(text), file=sys.stderr, flush=True)


class MovingText:
    """A line on stderr that is rewritten with spaces and carriage returns only."""

    def __init__(self) -> None:
        self._length = 0

    def show(self, text: str) -> None:
        """Replace the text shown before."""
        print(f"\r{text.ljust(self._length)}", end="", file=sys.stderr, flush=True)
        self._length = len(text)

    def clear(self) -> None:
        """Clear the line, if anything was shown."""
        if self._length:
            self.show("")
            print("\r", end="", file=sys.stderr, flush=True)


class CountDisplay:
    """A progress display that is called as ``progress(done, total, what)``."""

    def __init__(self) -> None:
        self._display = display()
        self._every_s = {"terminal": 0.0, "notebook": NOTEBOOK_EVERY_S, "lines": PLAIN_EVERY_S}[self._display]
        self._shown_at = time.monotonic()
        self._what = ""
        self._text = MovingText()

    def __call__(self, done: int, total: int, what: str) -> None:
        """Show the progress, unless it was shown a moment ago; clear a moving line at the end."""
        moves = self._display != "lines"
        if moves and done >= total:
            self._text.clear()
        elif (moves and what != self._what) or time.monotonic() - self._shown_at >= self._every_s:
            self._shown_at, self._what = time.monotonic(), what
            line = f"{what}: {done:,} of {total:,}"
            self._text.show(line) if moves else tell(line)


def counting(progress: bool | CountCallback | None) -> CountCallback:
    """Return the callback for a ``progress`` argument: a display for True, or the caller's own function.

    False, None and every rank but the first get a function that does nothing. Raises ``UsageError`` for
    anything else.
    """
    require_progress(progress)
    if progress is None or progress is False or not launch().speaks:
        return silent
    return CountDisplay() if progress is True else progress


def require_progress(progress: object) -> None:
    """Raise ``UsageError`` unless ``progress`` is True, False, None or callable."""
    if progress is not None and not isinstance(progress, bool) and not callable(progress):
        raise UsageError(
            f"progress cannot be {progress!r}", "Give True, False, or a function to call with the progress."
        )


def silent(done: int, total: int, what: str) -> None:
    """Show nothing."""


def discard(text: str) -> None:
    """Print nothing: for callers that need no message."""
