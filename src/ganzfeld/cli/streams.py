"""Standard output and standard error, so that what happens to them never becomes a traceback.

What cannot be written to standard output ends a command: a result that nobody got is none. Standard error
carries progress only, and work goes on without it: a terminal that was closed must not keep a training from
saving.
"""

import contextlib
import io
import os
import sys
from collections.abc import Iterator
from typing import Any, TextIO

from ganzfeld.errors import ResourceError
from ganzfeld.system import worded

STANDARD = (0, 1, 2)


class ReaderGone(BaseException):
    """Whoever read our output has gone; nothing is left to be said. Typer would take BrokenPipeError."""


class _Stream:
    """A text stream whose failures are handled by ``_failed``; all else is the stream's own."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write text."""
        try:
            return self._stream.write(text)
        except OSError as error:
            self._failed(error)
            return len(text)

    def flush(self) -> None:
        """Hand everything to the system."""
        try:
            self._stream.flush()
        except OSError as error:
            self._failed(error)

    def _failed(self, error: OSError) -> None:
        raise NotImplementedError

    def _leave(self) -> None:
        """Let what is still buffered, and what comes, go nowhere: Python flushes again when it ends."""
        with contextlib.suppress(OSError, ValueError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._stream.fileno())
            os.close(nowhere)


class Output(_Stream):
    """Standard output: raises ``ReaderGone``, or ``ResourceError`` where it is full.

    It does so again at every flush from then on: typer lets an error pass while it looks what a stream is.
    """

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self._error: OSError | None = None

    def flush(self) -> None:
        """Hand everything to the system; raises what was raised before."""
        if self._error:
            self._failed(self._error)
        super().flush()

    def _failed(self, error: OSError) -> None:
        self._error = error
        self._leave()
        if isinstance(error, BrokenPipeError):
            raise ReaderGone from error
        raise worded(error, "standard output", "written") from error


class Remarks(_Stream):
    """Standard error: what cannot be written is lost."""

    def _failed(self, error: OSError) -> None:
        self._leave()


class Closed(io.StringIO):
    """Standard output that was closed before we began: raises ``ResourceError`` where something was said."""

    def flush(self) -> None:
        """There is nowhere to write to."""
        if self.getvalue():
            raise ResourceError("standard output is closed", "Send it to a file or to /dev/null.")


@contextlib.contextmanager
def safe_streams() -> Iterator[None]:
    """Let ``sys.stdout`` and ``sys.stderr`` be such streams while the block runs."""
    before = sys.stdout, sys.stderr
    _fill_gaps()
    for stream in before:
        if isinstance(stream, io.TextIOWrapper):  # where the terminal's encoding lacks a character
            stream.reconfigure(errors="backslashreplace")
    sys.stdout = Output(sys.stdout) if sys.stdout else Closed()
    sys.stderr = Remarks(sys.stderr) if sys.stderr else io.StringIO()
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before


def _fill_gaps() -> None:
    """Open what was closed of the three standard streams: the next file would take its number otherwise.

    Libraries that print would then write into that file.
    """
    for number in STANDARD:
        try:
            os.fstat(number)
        except OSError:
            with contextlib.suppress(OSError):
                os.open(os.devnull, os.O_RDWR)
