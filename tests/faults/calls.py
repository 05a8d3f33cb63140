"""Commands in forks of this process, which has imported everything: thousands of them cost no start.

What a call may not do, and what of it is watched: ``Ended``.
"""

import contextlib
import gc
import io
import os
import resource
import signal
import sys
import tempfile
import threading
import time
import traceback
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

PATIENCE_S = 120.0
"""After which a call hangs: a hundred times of what the longest one takes on a quiet machine."""

MOST_ADDRESSES = 6 * 2**30
"""Bytes that a call may reserve, so that a defect takes down nothing but itself."""


@dataclass(frozen=True)
class Ended:
    """How a call ended: exit code (None: it hung; negative: a signal), what it said, memory it took."""

    code: int | None
    output: str
    errors: str
    peak_mb: float


def warm() -> None:
    """Import what commands import when they run, and torch when an optimizer is made."""
    import matplotlib.backends.backend_svg
    import matplotlib.figure  # noqa: F401
    import torch

    from ganzfeld.cli.commands import commands
    from ganzfeld.lab import experiments
    from ganzfeld.training import resume  # noqa: F401

    for name in commands.names():
        commands.load(name)
    experiments.load("leaky-slope")
    torch.optim.Adam([torch.zeros(1, requires_grad=True)], fused=True)
    gc.collect()
    gc.freeze()  # a fork that collects copies the pages of all that is there


def command(arguments: Sequence[str]) -> Callable[[], None]:
    """The command line, as a call."""

    def run() -> None:
        from ganzfeld.cli import main

        main(list(arguments))

    return run


def call(work: Callable[[], None], folder: Path, environment: dict[str, str] | None = None) -> Ended:
    """Do that in a fork that stands in ``folder``; at most ``PATIENCE_S``."""
    with tempfile.TemporaryFile("w+b") as output, tempfile.TemporaryFile("w+b") as errors:
        before_kb = _resident_kb()
        pid = os.fork()
        if not pid:
            _work_and_exit(work, folder, environment or {}, output.fileno(), errors.fileno())
        status, used_kb = _end_of(pid)
        said = []
        for file in (output, errors):
            file.seek(0)
            said.append(file.read().decode("utf-8", "backslashreplace"))
    code = None if status is None else os.waitstatus_to_exitcode(status)
    return Ended(code, said[0], said[1], max(0, used_kb - before_kb) / 1024)


def _end_of(pid: int) -> tuple[int | None, int]:
    """Status and peak of the memory of a child; no status where it had to be killed."""
    end, pause = time.monotonic() + PATIENCE_S, 0.002
    while time.monotonic() < end:
        found, status, used = os.wait4(pid, os.WNOHANG)
        if found:
            return status, used.ru_maxrss
        time.sleep(pause)
        pause = min(0.05, 1.5 * pause)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
    return None, os.wait4(pid, 0)[2].ru_maxrss


def _work_and_exit(
    work: Callable[[], None], folder: Path, environment: dict[str, str], output: int, errors: int
) -> None:
    code = 1
    try:
        os.setsid()
        nowhere = os.open(os.devnull, os.O_RDONLY)
        for number, handle in enumerate((nowhere, output, errors)):
            os.dup2(handle, number)
        sys.stdin, sys.stdout, sys.stderr = (
            io.TextIOWrapper(open(number, mode, closefd=False), encoding="utf-8")  # noqa: SIM115
            for number, mode in ((0, "rb"), (1, "wb"), (2, "wb"))
        )
        _as_python_starts()
        os.chdir(folder)
        os.environ.update(environment)
        _limit()
        work()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except BaseException:  # noqa: BLE001  what Python would do
        traceback.print_exc()
    finally:
        with contextlib.suppress(BaseException):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _as_python_starts() -> None:
    """Undo what pytest does about warnings and about exceptions in finalizers; a program has none of it."""
    sys.unraisablehook, threading.excepthook = sys.__unraisablehook__, threading.__excepthook__
    warnings.resetwarnings()
    for quiet in (DeprecationWarning, PendingDeprecationWarning, ImportWarning, ResourceWarning):
        warnings.simplefilter("ignore", quiet)


def _limit() -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    most = _addresses() + MOST_ADDRESSES
    resource.setrlimit(resource.RLIMIT_AS, (most, most))


def _addresses() -> int:
    return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()


def _resident_kb() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() // 1024
