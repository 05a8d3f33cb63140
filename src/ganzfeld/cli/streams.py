"""Standard output and standard error whose failures never become a traceback.

A failure of standard output ends the command, since its result is lost. Standard error carries only progress,
so the command continues without it: a closed terminal must not keep a run from being saved.
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
    """The reader of standard output has gone. Typer would handle BrokenPipeError itself."""


class _Stream:
    """A text stream whose failures are handled by ``_failed``; all else is delegated to the stream."""

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
        """Pass buffered text to the system."""
        try:
            self._stream.flush()
        except OSError as error:
            self._failed(error)

    def _failed(self, error: OSError) -> None:
        raise NotImplementedError

    def _discard(self) -> None:
        """Send buffered and later text to the null device, since Python flushes again at exit."""
        with contextlib.suppress(OSError, ValueError):
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, self._stream.fileno())
            os.close(null)


class Output(_Stream):
    """Standard output: raises ``ReaderGone``, or ``ResourceError`` if it cannot be written.

    Every later flush raises the same again, because typer ignores an error while it inspects a stream.
    """

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self._error: OSError | None = None

    def flush(self) -> None:
        """Pass buffered text to the system; raise an earlier error again."""
        if self._error:
            self._failed(self._error)
        super().flush()

    def _failed(self, error: OSError) -> None:
        self._error = error
        self._discard()
        if isinstance(error, BrokenPipeError):
            raise ReaderGone from error
        raise worded(error, "standard output", "written") from error


class ErrorOutput(_Stream):
    """Standard error: text that cannot be written is dropped."""

    def _failed(self, error: OSError) -> None:
        self._discard()


class ClosedOutput(io.StringIO):
    """Standard output that was closed before the start: raises ``ResourceError`` if anything is written."""

    def flush(self) -> None:
        """Raise ``ResourceError`` if anything was written."""
        if self.getvalue():
            raise ResourceError("standard output is closed", "Send it to a file or to /dev/null.")


@contextlib.contextmanager
def safe_streams() -> Iterator[None]:
    """Replace ``sys.stdout`` and ``sys.stderr`` by such streams while the block runs."""
    before = sys.stdout, sys.stderr
    _fill_gaps()
    for stream in before:
        if isinstance(stream, io.TextIOWrapper):  # in case the terminal's encoding lacks a character
            stream.reconfigure(errors="backslashreplace")
    sys.stdout = Output(sys.stdout) if sys.stdout else ClosedOutput()
    sys.stderr = ErrorOutput(sys.stderr) if sys.stderr else io.StringIO()
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before


def _fill_gaps() -> None:
    """Open the null device for each standard stream that is closed.

    Otherwise the next file to be opened would get its number, and libraries that print would write into it.
    """
    for number in STANDARD:
        try:
            os.fstat(number)
        except OSError:
            with contextlib.suppress(OSError):
                os.open(os.devnull, os.O_RDWR)
