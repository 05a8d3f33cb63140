"""One process at a time: a lock that the system lets go of when its holder dies, however it dies."""

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
_SAID = re.compile(rb"process [0-9]+ on [^\n]*\n?")


@contextlib.contextmanager
def alone(path: Path, waiting: Callable[[], object]) -> Iterator[Callable[[], bool]]:
    """Holds the lock file ``path`` while the block runs; calls ``waiting`` again and again until it is free.

    Whoever will not wait lets ``waiting`` raise. The file stays, and says who holds it or held it last; see
    ``owner``. Gives a function that says whether the file is still at its path: its folder may have been
    deleted while somebody waited. Raises ``ResourceError`` if the file cannot be made, and for a link in its
    place. Where the file system knows no locks, it holds nothing.
    """
    with _opened(path) as file:
        while _taken(file):
            waiting()
            time.sleep(_POLL_S)
        with contextlib.suppress(OSError):  # a full disk: nobody learns the owner, and the lock still holds
            if _is_ours(file):
                file.truncate(0)
                file.write(f"process {os.getpid()} on {socket.gethostname()}\n".encode())
                file.flush()
        yield lambda: _is_at(path, file)


def _is_at(path: Path, file: BinaryIO) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(file.fileno()))
    except OSError:
        return False


def _opened(path: Path) -> BinaryIO:
    """The lock file, made if it is not there; never through a link, and never waiting for a pipe."""
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND
    for name in ("O_NOFOLLOW", "O_NONBLOCK", "O_CLOEXEC", "O_BINARY"):
        flags |= getattr(os, name, 0)
    try:
        if path.is_symlink():
            raise ResourceError(f"{path} is a link, and nothing is written through it", "Remove the link.")
        handle = os.open(path, flags, 0o666)
    except OSError as problem:
        raise refused(problem, path) from problem
    if stat.S_ISREG(os.fstat(handle).st_mode):
        return os.fdopen(handle, "ab+")
    os.close(handle)
    raise ResourceError(f"{path} is not a regular file, and cannot be a lock", "Remove it.")


def _is_ours(file: BinaryIO) -> bool:
    """Whether a lock file is empty or says who held it; one that is a file of the user's is left as it is."""
    file.seek(0)
    said = file.read(_MOST_OWNER_BYTES + 1)
    return os.fstat(file.fileno()).st_nlink == 1 and (not said or bool(_SAID.fullmatch(said)))


def owner(path: Path) -> str:
    """Who holds the lock file ``path`` or held it last, in words."""
    try:
        with open_regular(path) as file:
            said = file.read(_MOST_OWNER_BYTES)
    except OSError:
        said = b""
    return printable(said.decode(errors="replace").strip()) if _SAID.fullmatch(said) else "another process"


if os.name == "nt":
    import msvcrt

    _FAR_AWAY = 2**30  # Windows keeps others from reading a locked byte: lock one that is never written

    def _taken(file: BinaryIO) -> bool:
        file.seek(_FAR_AWAY)
        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError:
            return True
        return False

else:
    import fcntl

    def _taken(file: BinaryIO) -> bool:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError:
            return False  # no locks here, as on some network drives: doing things twice is all that happens
        return False
