"""One process at a time: a lock that the system lets go of when its holder dies, however it dies."""

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from ganzfeld.durable import refused

_POLL_S = 0.2


@contextlib.contextmanager
def alone(path: Path, waiting: Callable[[], None]) -> Iterator[None]:
    """Holds the lock file ``path`` while the block runs; calls ``waiting`` again and again until it is free.

    Raises ``ResourceError`` if the file cannot be made. Where the file system knows no locks, it holds
    nothing.
    """
    try:
        file = path.open("ab")
    except OSError as problem:
        raise refused(problem, path) from problem
    with file:
        while _taken(file):
            waiting()
            time.sleep(_POLL_S)
        yield


if os.name == "nt":
    import msvcrt

    def _taken(file: BinaryIO) -> bool:
        file.seek(0)
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
            return False  # no locks here, as on some network drives: decoding twice costs time, nothing else
        return False
