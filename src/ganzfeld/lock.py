"""One process at a time: a lock that the system lets go of when its holder dies, however it dies."""

import contextlib
import os
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from ganzfeld.durable import refused

_POLL_S = 0.2
_MOST_OWNER_BYTES = 200


@contextlib.contextmanager
def alone(path: Path, waiting: Callable[[], None]) -> Iterator[None]:
    """Holds the lock file ``path`` while the block runs; calls ``waiting`` again and again until it is free.

    Whoever will not wait lets ``waiting`` raise. The file stays, and says who holds it or held it last; see
    ``owner``. Raises ``ResourceError`` if the file cannot be made. Where the file system knows no locks, it
    holds nothing.
    """
    try:
        file = path.open("ab")
    except OSError as problem:
        raise refused(problem, path) from problem
    with file:
        while _taken(file):
            waiting()
            time.sleep(_POLL_S)
        with contextlib.suppress(OSError):  # a full disk: nobody learns the owner, and the lock still holds
            file.truncate(0)
            file.write(f"process {os.getpid()} on {socket.gethostname()}\n".encode())
            file.flush()
        yield


def owner(path: Path) -> str:
    """Who holds the lock file ``path`` or held it last, in words."""
    try:
        with path.open("rb") as file:
            words = file.read(_MOST_OWNER_BYTES).decode(errors="replace").strip()
    except OSError:
        words = ""
    return words or "another process"


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
