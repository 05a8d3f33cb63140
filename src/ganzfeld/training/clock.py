"""Time that counts: the seconds a run has trained, the moments at which it shows itself, time in words."""

import contextlib
import math
import time
from collections import deque
from collections.abc import Callable, Iterator

LEAST_GAP_S = 10.0
TIMES_A_LAP = 20.0
"""A lap that takes longer than both, in seconds and in laps as they were lately, is no slow one: the process
was suspended, the machine slept, or the clock jumped. It counts as a usual one."""

LEAST_LAPS = 8
MOST_LAPS = 16


class Stopwatch:
    """Seconds of training, from ``seconds`` on, by a ``clock`` that tells seconds.

    Does not count while the run shows itself, nor while the process stands still.
    """

    def __init__(self, seconds: float = 0.0, clock: Callable[[], float] = time.perf_counter) -> None:
        self._before = seconds
        self._clock = clock
        self._since: float | None = None
        self._laps: deque[float] = deque(maxlen=MOST_LAPS)

    def start(self) -> None:
        """Resume counting."""
        self._since = self._clock()

    def stop(self) -> None:
        """Stop counting."""
        self._before = self.seconds
        self._since = None

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Stop counting for a while, if it was running."""
        running = self._since is not None
        self.stop()
        try:
            yield
        finally:
            if running:
                self.start()

    def lap(self) -> float:
        """Note that a step has ended; returns for how many seconds of it the process stood still."""
        elapsed, counted = self._elapsed()
        self._laps.append(min(elapsed, self._longest_lap()))  # where all take as long, that is soon usual
        self._before += counted
        self.start()
        return elapsed - counted

    @property
    def seconds(self) -> float:
        """Seconds counted so far."""
        return self._before + self._elapsed()[1]

    def _elapsed(self) -> tuple[float, float]:
        """Seconds since it was started or the last lap ended, and how many of them count."""
        if self._since is None:
            return 0.0, 0.0
        elapsed = max(0.0, self._clock() - self._since)
        return elapsed, elapsed if elapsed <= self._longest_lap() else self._usual_lap()

    def _usual_lap(self) -> float:
        return sum(self._laps) / max(1, len(self._laps))

    def _longest_lap(self) -> float:
        """The longest time that one lap may take; no limit before the usual one is known."""
        return math.inf if len(self._laps) < LEAST_LAPS else max(LEAST_GAP_S, TIMES_A_LAP * self._usual_lap())


class Due:
    """A thing to do again and again: ``spacing`` seconds apart, and never closer than ``share`` of the age.

    Due at once at first. With a share the distances grow with the run, so that their number stays small.
    """

    def __init__(self, spacing: float, share: float = 0.0) -> None:
        self.spacing = spacing
        self.share = share
        self.next = 0.0

    def __call__(self, seconds: float) -> bool:
        """Whether it is time, in seconds of training; if so, the next time is set."""
        if seconds < self.next:
            return False
        self.from_now(seconds)
        return True

    def from_now(self, seconds: float) -> None:
        """Set the next time as if it had just been done."""
        self.next = seconds + max(self.spacing, self.share * seconds)
