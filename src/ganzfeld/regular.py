"""Reading files that somebody else may have put there: regular files only, and never more than a limit."""

import os
import stat
from io import BufferedReader
from pathlib import Path

_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


class Irregular(OSError):
    """A file is not what a program can read to its end: a pipe, a folder, a device, or one that is too large.

    ``strerror`` is the reason in words, like that of any other ``OSError``.
    """

    def __init__(self, reason: str, path: Path) -> None:
        super().__init__(0, reason, str(path))


def open_regular(path: Path) -> BufferedReader:
    """Open a regular file for reading bytes, without ever waiting for one that is none.

    Raises ``Irregular`` for a pipe, a folder, a socket or a device, ``OSError`` where it cannot be opened.
    """
    # Without O_NONBLOCK, opening a pipe waits until somebody writes into it.
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    flags |= getattr(os, "O_CLOEXEC", 0)
    try:
        handle = os.open(path, flags)
    except ValueError as error:  # a name with a zero byte
        raise Irregular(str(error), path) from None
    try:
        mode = os.fstat(handle).st_mode
        if not stat.S_ISREG(mode):
            kind = _KINDS.get(stat.S_IFMT(mode), "something special")
            raise Irregular(f"it is {kind}, not a regular file", path)
        return os.fdopen(handle, "rb")
    except BaseException:
        os.close(handle)
        raise


def read_regular(path: Path, most_bytes: int) -> bytes:
    """The content of a regular file of at most ``most_bytes``.

    Raises ``Irregular`` for anything else and for a larger one, ``OSError`` where it cannot be read.
    """
    with open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        content = b"" if size > most_bytes else file.read(most_bytes + 1)
    if max(size, len(content)) > most_bytes:
        found = max(size, len(content))
        raise Irregular(f"it is too large ({found:,} bytes; at most {most_bytes:,} are read)", path)
    return content


def is_regular(path: Path) -> bool:
    """Whether there is a regular file, or a link to one; never raises, whatever the name is."""
    try:
        return path.is_file()
    except (OSError, ValueError):  # such as a name that is longer than the system allows
        return False
