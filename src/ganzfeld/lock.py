"""File locks, which the system releases when their holder dies, however it dies."""

import contextlib
import os
import re
import socket
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from ganzfeld.durable import refused
from ganzfeld.errors import ResourceError
from ganzfeld.printable import printable
from ganzfeld.regular import open_regular

_POLL_S = 0.2
_MOST_OWNER_BYTES = 200
_OWNER = re.compile(rb"process [0-9]+ on [^\n]*\n?")


@contextlib.contextmanager
def locked(path: Path, waiting: Callable[[], object]) -> Iterator[Callable[[], bool]]:
    """Hold the lock file ``path`` while the block runs.

    ``waiting`` is called repeatedly until the lock is free; it may raise, in order not to wait. The file
    remains, and names the process that holds it or held it last; see ``owner``. Yields a function that checks
    whether the file is still at its path, since its folder may have been deleted during the wait. Raises
    ``ResourceError`` if the file cannot be created or is a link. On a file system without locks nothing is
    locked.
    """
    with _open_lock_file(path) as file:
        while _is_taken(file):
            waiting()
            time.sleep(_POLL_S)
        with contextlib.suppress(OSError):  # on a full disk the owner is not named, and the lock still holds
            if _is_lock_file(file):
                file.truncate(0)
                file.write(f"process {os.getpid()} on {socket.gethostname()}\n".encode())
                file.flush()
        yield lambda: _is_at(path, file)


def _is_at(path: Path, file: BinaryIO) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(file.fileno()))
    except OSError:
        return False


def _open_lock_file(path: Path) -> BinaryIO:
    """Open the lock file, or create it; follow no link and never wait for a pipe."""
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND
    for name in ("O_NOFOLLOW", "O_NONBLOCK", "O_CLOEXEC", "O_BINARY"):
        flags |= getattr(os, name, 0)
    try:
        if path.is_symlink():
            raise ResourceError(f"{path} is a link, and links are not written through", "Remove the link.")
        handle = os.open(path, flags, 0o666)
    except OSError as error:
        raise refused(error, path) from error
    if stat.S_ISREG(os.fstat(handle).st_mode):
        return os.fdopen(handle, "ab+")
    os.close(handle)
    raise ResourceError(f"{path} is not a regular file, and cannot be a lock file", "Remove it.")


def _is_lock_file(file: BinaryIO) -> bool:
    """Check whether a file is empty or names a lock's owner; a user's file of that name is not changed."""
    file.seek(0)
    content = file.read(_MOST_OWNER_BYTES + 1)
    return os.fstat(file.fileno()).st_nlink == 1 and (not content or bool(_OWNER.fullmatch(content)))


def owner(path: Path) -> str:
    """Return, in words, which process holds the lock file ``path`` or held it last."""
    try:
        with open_regular(path) as file:
            content = file.read(_MOST_OWNER_BYTES)
    except OSError:
        content = b""
    name = content.decode(errors="replace").strip()
    return printable(name) if _OWNER.fullmatch(content) else "another process"


if os.name == "nt":
    import msvcrt

    _LOCKED_BYTE = 2**30  # Windows makes a locked byte unreadable to others: lock one that is never written

    def _is_taken(file: BinaryIO) -> bool:
        file.seek(_LOCKED_BYTE)
        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError:
            return True
        return False

else:
    import fcntl

    def _is_taken(file: BinaryIO) -> bool:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError:
            return False  # no locks, as on some network drives: at worst, work is done twice
        return False
