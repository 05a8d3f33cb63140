"""Saving beside the training: a snapshot is taken between two steps, a thread writes it."""

import concurrent.futures
from collections.abc import Callable
from types import TracebackType

from ganzfeld.errors import ResourceError
from ganzfeld.own_folder import LostFolder

MOST_TRIES = 3
RETRY_S = 5.0


class Patience:
    """Lets a want of resources pass that may be over soon: told at first, raised the third time in a row.

    Use as a context manager around each try. Other errors pass through, and so does a folder that is lost.
    """

    def __init__(self, told: Callable[[str], None]) -> None:
        self._told = told
        self._failures = 0

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if not isinstance(error, ResourceError) or isinstance(error, LostFolder):
            self._failures = 0
            return False
        self._failures += 1
        if self._failures >= MOST_TRIES:
            return False
        self._told(f"not saved: {error.message}; trying again")
        return True


class Saver:
    """Does one piece of saving at a time in a thread of its own; use as a context manager.

    A save that fails for want of a resource is told to ``told`` and may be tried again ``RETRY_S`` later,
    with the state of that time; the third failure in a row is raised. Any other failure is raised at once.
    """

    def __init__(self, told: Callable[[str], None]) -> None:
        self._patience = Patience(told)
        self._thread = concurrent.futures.ThreadPoolExecutor(1, "saver")
        self._running: concurrent.futures.Future[object] | None = None

    def __enter__(self) -> "Saver":
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.shutdown()

    @property
    def busy(self) -> bool:
        """Whether the piece before is still being written."""
        return self._running is not None and not self._running.done()

    def begin(self, save: Callable[[], object]) -> None:
        """Let the thread do ``save``. Not to be called while ``busy``; how the piece before ended is told."""
        self.failed()
        self._running = self._thread.submit(save)

    def failed(self) -> bool:
        """Whether the last piece has ended in a failure that has not been told yet; tells it.

        Raises it if it was the third in a row, or not a want of resources. Does not wait.
        """
        if self._running is None or self.busy:
            return False
        running, self._running = self._running, None
        with self._patience:
            running.result()
        return running.exception() is not None

    def wait(self) -> None:
        """Wait until nothing is being written; failures are told or raised as by ``failed``."""
        if self._running is not None:
            concurrent.futures.wait([self._running])
        self.failed()
