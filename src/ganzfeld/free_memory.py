"""Free memory, checked before a large allocation."""

import contextlib
import sys
from pathlib import Path

from ganzfeld.errors import ResourceError

_CGROUPS = Path("/sys/fs/cgroup")


def require_memory(num_bytes: int, what: str, hint: str = "") -> None:
    """Raise ``ResourceError`` if ``what`` needs more bytes than are free.

    ``what`` is the subject of the message and ``hint`` its advice. Passes where free memory is unknown.
    """
    free = free_bytes_of_memory()
    if free is not None and num_bytes > free:
        raise ResourceError(
            f"{what} would take {_size(num_bytes)} of memory, and {_size(free)} are free", hint
        )


def free_bytes_of_memory() -> int | None:
    """Return how many bytes this process can still allocate; None if unknown (only Linux reports it).

    The least of what is free on the machine, in the process's control group, and below its own limit.
    """
    free = (_free_on_machine(), _free_in_cgroup(), _free_below_process_limit())
    known = [num_bytes for num_bytes in free if num_bytes is not None]
    return max(0, min(known)) if known else None


def _free_on_machine() -> int | None:
    with contextlib.suppress(OSError, ValueError, IndexError):
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return 1024 * int(line.split()[1])
    return None


def _free_in_cgroup() -> int | None:
    """Return the bytes that a control group (version 2, as containers use) still allows."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        own = Path("/proc/self/cgroup").read_text().split("0::", 1)[1].splitlines()[0].lstrip("/")
        group = _CGROUPS / own
        limit = int((group / "memory.max").read_text())
        used = int((group / "memory.current").read_text())
        stat = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
        return limit - used + int(stat.get("inactive_file", 0))  # the file cache is freed when needed
    return None


def _free_below_process_limit() -> int | None:
    if sys.platform == "win32":
        return None
    import resource

    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit == resource.RLIM_INFINITY:
        return None
    with contextlib.suppress(OSError, ValueError, IndexError):
        return limit - resource.getpagesize() * int(Path("/proc/self/statm").read_text().split()[0])
    return None


def _size(num_bytes: int) -> str:
    return f"{num_bytes / 2**30:,.1f} GiB" if num_bytes >= 2**30 else f"{num_bytes / 2**20:,.0f} MiB"
