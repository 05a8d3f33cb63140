"""Progress of reading pictures: a line that is written over on a terminal, a line now and then elsewhere.

Unlike the progress of training it needs no torch, so that ``check`` answers at once.
"""

import sys
import time

from ganzfeld.cli.speech import tell

PLAIN_EVERY_S = 10.0


class ReadingProgress:
    """Called as ``progress(done, total, what)``; writes to stderr only."""

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()
        self._told_at = time.monotonic()

    def __call__(self, done: int, total: int, what: str) -> None:
        """Shows how far it is."""
        line = f"{what}: {done:,} of {total:,}"
        if self._terminal:
            # Carriage return, the line, and what clears the rest of the row; an empty row at the end.
            print(f"\r{line if done < total else ''}\x1b[K", end="", file=sys.stderr, flush=True)
        elif time.monotonic() - self._told_at > PLAIN_EVERY_S:
            self._told_at = time.monotonic()
            tell(line)
