"""Measure how long an action takes."""

import time
from collections.abc import Callable


def seconds_of(action: Callable[[], object]) -> float:
    """Return the seconds that one call of ``action`` takes."""
    start = time.perf_counter()
    action()
    return time.perf_counter() - start
