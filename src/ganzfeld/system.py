"""The operating system: processor cores, and the one place that turns an ``OSError`` into our errors."""

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path

from ganzfeld.errors import ResourceError
from ganzfeld.printable import printable

# Windows has no quotas.
FULL = {errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)}
_TOO_MANY_FILES = {errno.EMFILE, errno.ENFILE}
_NO_ROOM_TO_LOAD = ("failed to map segment", os.strerror(errno.ENOMEM))
_WRONG_KIND = {errno.EISDIR: "it is a folder", errno.ENOTDIR: "part of its path is a file, not a folder"}


def num_cores() -> int:
    """Return how many processor cores this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # macOS and Windows have no such function
        return os.cpu_count() or 1


@contextlib.contextmanager
def in_words() -> Iterator[None]:
    """Raise a ``ResourceError`` in place of any ``OSError`` that leaves the block; also a decorator.

    Refusals of the system that Python raises as other types, such as a thread that cannot be started, are
    treated alike. A ``BrokenPipeError`` is not changed: the reader of the output has gone.
    """
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise worded(error) from error
    except (ImportError, RuntimeError) as error:
        if (refusal := _refusal_of_other_type(error)) is None:
            raise
        raise refusal from error


def _refusal_of_other_type(error: Exception) -> ResourceError | None:
    """Return the error for a system's refusal that Python raises as another type; None if it is not one.

    Without free memory or file handles, for example, a module cannot be loaded.
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
    """Check whether an error means that no memory is left, in any of the forms of torch and Python."""
    signs = (
        *("can't allocate memory", "out of memory", "not enough memory", "Unable to allocate"),
        *("could not create a primitive", "could not execute a primitive"),  # messages of oneDNN
    )
    return isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError) and any(sign in str(error) for sign in signs)
    )


def worded(error: OSError, path: str | Path | None = None, what: str = "used") -> ResourceError:
    """Return the ``ResourceError`` for a path that cannot be ``what``, with the reason and what to do."""
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
        return ResourceError(f"the name {shown} is longer than the system allows", "Use a shorter name.")
    if error.errno in _WRONG_KIND:
        return ResourceError(f"{shown} cannot be {what}: {_WRONG_KIND[error.errno]}", "Move it away.")
    if error.errno == errno.ENOENT and not shown:
        return ResourceError("the current folder no longer exists", "Change to another folder.")
    return ResourceError(f"{shown} cannot be {what}: {why}" if shown else f"the system refused: {why}")


def require_working_folder() -> None:
    """Raise ``ResourceError`` if the current folder was deleted.

    Without this check, libraries that are loaded later end the process without a message.
    """
    try:
        Path.cwd()
    except OSError as error:
        raise worded(OSError(errno.ENOENT, "it was deleted")) from error
