"""What the operating system gives and refuses: the one place where an ``OSError`` becomes one of ours."""

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
_NO_ROOM_TO_LOAD = ("failed to map segment", os.strerror(errno.ENOMEM))
_WRONG_KIND = {errno.EISDIR: "a folder", errno.ENOTDIR: "no folder"}


def num_cores() -> int:
    """Return how many processor cores this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # macOS and Windows do not say
        return os.cpu_count() or 1


@contextlib.contextmanager
def in_words() -> Iterator[None]:
    """Raise a ``ResourceError`` in place of any ``OSError`` that leaves the block; also as a decorator.

    The same for its like of other types, such as a thread that could not be started.
    A reader that has gone (``BrokenPipeError``) is left as it is.
    """
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise worded(error) from error
    except (ImportError, RuntimeError) as error:
        if (told := _told_otherwise(error)) is None:
            raise
        raise told from error


def _told_otherwise(error: Exception) -> ResourceError | None:
    """A refusal of the system that Python tells by another error than an ``OSError``; None if it is none.

    Without a file handle or memory left not even a module can be loaded.
    """
    words = str(error)
    if os.strerror(errno.EMFILE) in words:
        return worded(OSError(errno.EMFILE, os.strerror(errno.EMFILE)))
    if isinstance(error, ImportError) and any(sign in words for sign in _NO_ROOM_TO_LOAD):
        return ResourceError("there is not enough memory to load a library", "Free some, or raise ulimit -v.")
    if "can't start new thread" in words:
        return ResourceError(
            "no more threads can be started", "Allow more processes (ulimit -u), or free some memory."
        )
    return None


def ran_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that there is no memory left, in whichever of torch's and Python's ways."""
    signs = (
        *("can't allocate memory", "out of memory", "not enough memory", "Unable to allocate"),
        *("could not create a primitive", "could not execute a primitive"),  # oneDNN's way to say it
    )
    return isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError) and any(sign in str(error) for sign in signs)
    )


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
