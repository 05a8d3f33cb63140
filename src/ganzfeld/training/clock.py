"""Training time: a stopwatch that counts only training, and intervals at which other work is due."""

import contextlib
import math
import time
from collections import deque
from collections.abc import Callable, Iterator

LEAST_GAP_S = 10.0
LEAST_GAP_LAPS = 20.0
"""A lap longer than both limits (seconds, and multiples of the recent mean lap) is not a slow step: the
process was suspended, the machine slept, or the clock jumped. It counts as a mean lap."""

LEAST_LAPS = 8
MOST_LAPS = 16


class Stopwatch:
    """Counts seconds of training, starting at ``seconds``; ``clock`` returns the current time in seconds.

    It does not count while it is paused, nor while the process is suspended.
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
        """Stop counting during the block, if the stopwatch was running."""
        running = self._since is not None
        self.stop()
        try:
            yield
        finally:
            if running:
                self.start()

    def lap(self) -> float:
        """Record the end of a step; return for how many of its seconds the process was suspended."""
        elapsed, counted = self._elapsed()
        # Capped, not dropped: if steps really have become this slow, the mean soon follows.
        self._laps.append(min(elapsed, self._longest_lap()))
        self._before += counted
        self.start()
        return elapsed - counted

    @property
    def seconds(self) -> float:
        """Seconds counted so far."""
        return self._before + self._elapsed()[1]

    def _elapsed(self) -> tuple[float, float]:
        """Return the seconds since the start or the last lap, and how many of them count."""
        if self._since is None:
            return 0.0, 0.0
        elapsed = max(0.0, self._clock() - self._since)
        return elapsed, elapsed if elapsed <= self._longest_lap() else self._mean_lap()

    def _mean_lap(self) -> float:
        return sum(self._laps) / max(1, len(self._laps))

    def _longest_lap(self) -> float:
        """Return the most seconds that one lap may take; no limit before there are enough laps."""
        return (
            math.inf if len(self._laps) < LEAST_LAPS else max(LEAST_GAP_S, LEAST_GAP_LAPS * self._mean_lap())
        )


class Due:
    """A recurring task: at least ``spacing`` seconds apart, and at least ``share`` of the run's age apart.

    It is due at once the first time. With a share, the intervals grow with the run, so that their number
    stays small.
    """

    def __init__(self, spacing: float, share: float = 0.0) -> None:
        self.spacing = spacing
        self.share = share
        self.next = 0.0

    def __call__(self, seconds: float) -> bool:
        """Check whether the task is due after ``seconds`` of training; if so, schedule the next time."""
        if seconds < self.next:
            return False
        self.from_now(seconds)
        return True

    def from_now(self, seconds: float) -> None:
        """Schedule the next time as if the task had just been done."""
        self.next = seconds + max(self.spacing, self.share * seconds)
