"""Signals: the first one asks the training to finish its step and save, a second one ends the process."""

import signal
import threading
from collections.abc import Callable
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interruption:
    """Catches SIGINT and SIGTERM while entered; ``signal_number`` is the first one received, or None.

    ``abandon`` is called when a second one comes, before the process ends. Outside the main thread, where
    Python delivers no signals, nothing is caught.
    """

    def __init__(self, abandon: Callable[[], None]) -> None:
        self._abandon = abandon
        self.signal_number: int | None = None
        self._before: dict[signal.Signals, object] = {}

    def came(self) -> bool:
        """Whether there was one."""
        return self.signal_number is not None

    def __enter__(self) -> "Interruption":
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._receive) for number in SIGNALS}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def _receive(self, number: int, frame: FrameType | None) -> None:
        if self.signal_number is None:
            self.signal_number = number
            return
        self._abandon()
        signal.signal(number, signal.SIG_DFL)
        signal.raise_signal(number)
