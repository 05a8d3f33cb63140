"""How much memory may still be taken, asked before much of it is."""

import contextlib
import sys
from pathlib import Path

from ganzfeld.errors import ResourceError

_CGROUPS = Path("/sys/fs/cgroup")


def require_memory(num_bytes: int, what: str, hint: str = "") -> None:
    """Raise ``ResourceError`` if so many bytes, for ``what``, are more than may still be taken."""
    free = free_bytes_of_memory()
    if free is not None and num_bytes > free:
        raise ResourceError(
            f"{what} would take {_shown(num_bytes)} of memory, and {_shown(free)} are free", hint
        )


def free_bytes_of_memory() -> int | None:
    """Bytes that this process may still take: of the machine, of its control group, of its own limit.

    None where the system does not say (Linux alone does).
    """
    limits = [each for each in (_of_the_machine(), _of_the_group(), _of_the_process()) if each is not None]
    return max(0, min(limits)) if limits else None


def _of_the_machine() -> int | None:
    with contextlib.suppress(OSError, ValueError, IndexError):
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return 1024 * int(line.split()[1])
    return None


def _of_the_group() -> int | None:
    """Of version 2 of control groups, as containers have them."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        own = Path("/proc/self/cgroup").read_text().split("0::", 1)[1].splitlines()[0].lstrip("/")
        group = _CGROUPS / own
        most = int((group / "memory.max").read_text())
        taken = int((group / "memory.current").read_text())
        kept = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
        return most - taken + int(kept.get("inactive_file", 0))  # what files left there is given back
    return None


def _of_the_process() -> int | None:
    if sys.platform == "win32":
        return None
    import resource

    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit == resource.RLIM_INFINITY:
        return None
    with contextlib.suppress(OSError, ValueError, IndexError):
        return limit - resource.getpagesize() * int(Path("/proc/self/statm").read_text().split()[0])
    return None


def _shown(num_bytes: int) -> str:
    return f"{num_bytes / 2**30:,.1f} GiB" if num_bytes >= 2**30 else f"{num_bytes / 2**20:,.0f} MiB"
