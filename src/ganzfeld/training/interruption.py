"""Signals: the first one asks the loop to finish its step and save, a second one ends the process."""

import signal
import threading
from collections.abc import Callable
from types import FrameType

from ganzfeld.signals import HANGUP, signals_to_handle


class Interruption:
    """Catches SIGINT, SIGTERM and SIGHUP while entered; ``signal_number`` is the first one received, or None.

    ``abandon`` is called when a second signal comes, before the process ends. Outside the main thread, where
    Python delivers no signals, nothing is caught. A closing terminal may send SIGHUP more than once: only the
    first one counts. ``is_end_requested`` tells whether something other than a signal asks for the end.
    """

    def __init__(
        self, abandon: Callable[[], None], is_end_requested: Callable[[], bool] = lambda: False
    ) -> None:
        self._abandon, self._is_end_requested = abandon, is_end_requested
        self.signal_number: int | None = None
        self._before: dict[signal.Signals, object] = {}

    def came(self) -> bool:
        """Check whether a signal came or the end is requested in another way."""
        return self.signal_number is not None or self._is_end_requested()

    def __enter__(self) -> "Interruption":
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._receive) for number in signals_to_handle()}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def _receive(self, number: int, frame: FrameType | None) -> None:
        if self.signal_number is None:
            self.signal_number = number
            return
        if number == HANGUP:
            return
        self._abandon()
        signal.signal(number, signal.SIG_DFL)
        signal.raise_signal(number)
