"""Time that counts: the seconds a run has trained, the moments at which it shows itself, time in words."""

import time


class Stopwatch:
    """Seconds of training, from ``seconds`` on; stands still while the run shows itself."""

    def __init__(self, seconds: float = 0.0) -> None:
        self._before = seconds
        self._since: float | None = None

    def start(self) -> None:
        """Go on counting."""
        self._since = time.perf_counter()

    def stop(self) -> None:
        """Stand still."""
        self._before = self.seconds
        self._since = None

    @property
    def seconds(self) -> float:
        """Seconds counted so far."""
        return self._before + (time.perf_counter() - self._since if self._since is not None else 0.0)


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


def duration(seconds: float) -> str:
    """Seconds as people say them: 42 s, 5 min 03 s, 2 h 07 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
