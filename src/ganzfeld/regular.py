"""Safe reading of files that others may have placed: regular files only, up to a limit of bytes."""

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
    """A file cannot be read to its end: it is a pipe, a folder, a device, or too large.

    ``strerror`` is the reason in words, as in any other ``OSError``.
    """

    def __init__(self, reason: str, path: Path) -> None:
        super().__init__(0, reason, str(path))


def open_regular(path: Path) -> BufferedReader:
    """Open a regular file for reading bytes, without ever blocking.

    Raises ``Irregular`` for a pipe, a folder, a socket or a device, ``OSError`` if it cannot be opened.
    """
    # Without O_NONBLOCK, opening a pipe blocks until another process writes to it.
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    flags |= getattr(os, "O_CLOEXEC", 0)
    try:
        handle = os.open(path, flags)
    except ValueError as error:  # a name with a zero byte
        raise Irregular(str(error), path) from None
    try:
        mode = os.fstat(handle).st_mode
        if not stat.S_ISREG(mode):
            kind = _KINDS.get(stat.S_IFMT(mode), "a special file")
            raise Irregular(f"it is {kind}, not a regular file", path)
        return os.fdopen(handle, "rb")
    except BaseException:
        os.close(handle)
        raise


def read_regular(path: Path, most_bytes: int) -> bytes:
    """Return the content of a regular file of at most ``most_bytes``.

    Raises ``Irregular`` if it is larger or not a regular file, ``OSError`` if it cannot be read.
    """
    with open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        content = b"" if size > most_bytes else file.read(most_bytes + 1)
    if max(size, len(content)) > most_bytes:
        num_bytes = max(size, len(content))
        raise Irregular(f"it is too large ({num_bytes:,} bytes; at most {most_bytes:,} are read)", path)
    return content


def is_regular(path: Path) -> bool:
    """Check whether a path is a regular file or a link to one; never raise, whatever the name."""
    try:
        return path.is_file()
    except (OSError, ValueError):  # such as a name longer than the system allows
        return False
