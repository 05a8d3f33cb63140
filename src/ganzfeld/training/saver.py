"""Saving during training: a snapshot is taken between two steps, and a thread writes it."""

import concurrent.futures
from collections.abc import Callable
from types import TracebackType

from ganzfeld.errors import ResourceError
from ganzfeld.own_folder import LostFolder

MOST_TRIES = 3
RETRY_S = 5.0


class Patience:
    """Tolerates a passing lack of resources: ``noted`` is called at first, the third failure in a row raises.

    Use it as a context manager around each try. Other errors pass through, and so does ``LostFolder``.
    """

    def __init__(self, noted: Callable[[str], None]) -> None:
        self._noted = noted
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
        self._noted(f"not saved: {error.message}; trying again")
        return True


class Saver:
    """Runs one save at a time in a thread of its own; use it as a context manager.

    When a save fails for lack of a resource, ``noted`` is called, and the save may be tried again ``RETRY_S``
    later, with the state of that time; the third failure in a row is raised. Any other failure is raised at
    once.
    """

    def __init__(self, noted: Callable[[str], None]) -> None:
        self._patience = Patience(noted)
        self._thread = concurrent.futures.ThreadPoolExecutor(1, "saver")
        self._running: concurrent.futures.Future[object] | None = None

    def __enter__(self) -> "Saver":
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.shutdown()

    @property
    def busy(self) -> bool:
        """True while the previous save is still being written."""
        return self._running is not None and not self._running.done()

    def begin(self, save: Callable[[], object]) -> None:
        """Run ``save`` in the thread, after reporting how the last save ended. Do not call while ``busy``."""
        self.failed()
        self._running = self._thread.submit(save)

    def failed(self) -> bool:
        """Check whether the last save has failed since the last call, and report the failure.

        Raises the failure if it was the third in a row, or not a lack of resources. Does not wait.
        """
        if self._running is None or self.busy:
            return False
        running, self._running = self._running, None
        with self._patience:
            running.result()
        return running.exception() is not None

    def wait(self) -> None:
        """Wait until nothing is being written; failures are reported or raised as in ``failed``."""
        if self._running is not None:
            concurrent.futures.wait([self._running])
        self.failed()
