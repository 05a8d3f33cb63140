"""What the operating system refuses, in words: the one place where an ``OSError`` becomes one of ours."""

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path

from ganzfeld.errors import ResourceError
from ganzfeld.printable import printable

# Windows knows no quotas.
FULL = {errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)}
_TOO_MANY_FILES = {errno.EMFILE, errno.ENFILE}
_WRONG_KIND = {errno.EISDIR: "a folder", errno.ENOTDIR: "no folder"}


@contextlib.contextmanager
def in_words() -> Iterator[None]:
    """Raise a ``ResourceError`` in place of any ``OSError`` that leaves the block; also as a decorator.

    A reader that has gone (``BrokenPipeError``) is left as it is.
    """
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise worded(error) from error
    except ImportError as error:  # without a file handle left, not even a module can be loaded
        if os.strerror(errno.EMFILE) not in str(error):
            raise
        raise worded(OSError(errno.EMFILE, os.strerror(errno.EMFILE))) from error


def worded(error: OSError, path: str | Path | None = None, what: str = "used") -> ResourceError:
    """What the operating system said of a path: that it cannot be ``what``, why, and what to do."""
    if path is None and error.filename is not None:
        path = os.fsdecode(error.filename) if not isinstance(error.filename, int) else None
    shown = "" if path is None else printable(str(path))
    why = error.strerror or str(error) or type(error).__name__
    if error.errno in FULL:
        return ResourceError(
            f"no room left to write {shown or 'a file'}", "Free some space, or name another folder."
        )
    if error.errno in _TOO_MANY_FILES:
        return ResourceError(
            f"too many files are open at once{f', so {shown} cannot be opened' if shown else ''}",
            "Allow more: ulimit -n 1024.",
        )
    if error.errno == errno.ENAMETOOLONG:
        return ResourceError(f"the name {shown} is longer than the system allows", "Use a shorter one.")
    if error.errno in _WRONG_KIND:
        return ResourceError(f"{shown} cannot be {what}: it is {_WRONG_KIND[error.errno]}", "Move it away.")
    if error.errno == errno.ENOENT and not shown:
        return ResourceError("the folder that this was started in is gone", "Change to another one.")
    return ResourceError(f"{shown} cannot be {what}: {why}" if shown else f"the system refused: {why}")


def require_working_folder() -> None:
    """Raise ``ResourceError`` where the folder that this process stands in was deleted.

    Libraries that are loaded later end the process without a word in such a place.
    """
    try:
        Path.cwd()
    except OSError as error:
        raise worded(OSError(errno.ENOENT, "it was deleted")) from error
