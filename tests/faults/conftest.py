"""Faults as they happen: processes that are killed, disks that fill, system calls that fail.

Most happen in a forked child: a thousand of them cost no import of torch. ``--thorough`` goes through all of
them; without it a sample is taken.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from ganzfeld.compute.engine import choose_engine
from ganzfeld.data import open_images
from ganzfeld.errors import GanzfeldError
from ganzfeld.runs.checkpoint import Checkpoint
from ganzfeld.training.build import start
from ganzfeld.training.snapshot import capture
from tests.training.conftest import small

GONE_WRONG = 99
"""The exit code of a child that met an error which is none of the documented ones."""


@dataclass(frozen=True)
class End:
    """How a child ended: the signal that killed it or its exit code, and what it said before."""

    signal: int
    code: int
    said: str


class Child:
    """A fork of this process that waits for ``go`` and then runs ``action``, which is given ``say``."""

    def __init__(self, action: Callable[[Callable[[str], None]], None]) -> None:
        begin, self._begin = os.pipe()
        self._heard, saying = os.pipe()
        self.pid = os.fork()
        if self.pid:
            os.close(begin)
            os.close(saying)
            return
        code = GONE_WRONG
        try:
            os.close(self._begin)  # so that this one ends, should the parent die
            os.read(begin, 1)

            def say(text: str) -> None:
                os.write(saying, f"{text}\n".encode())

            action(say)
            code = 0
        except GanzfeldError as error:
            os.write(saying, f"{error.message}\n".encode())
            code = error.exit_code
        except BaseException:  # noqa: BLE001  told to the parent, in whose test it fails
            os.write(saying, traceback.format_exc().encode())
        finally:
            os._exit(code)

    def go(self) -> None:
        """Let it begin."""
        os.write(self._begin, b"!")

    def kill(self) -> None:
        """SIGKILL."""
        os.kill(self.pid, signal.SIGKILL)

    def end(self) -> End:
        """Wait for its end."""
        with os.fdopen(self._heard, "rb") as heard:
            said = heard.read().decode(errors="replace")
        _, status = os.waitpid(self.pid, 0)
        os.close(self._begin)
        killed = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
        return End(killed, os.waitstatus_to_exitcode(status) if not killed else 0, said)


@pytest.fixture
def child():
    """Makes children."""
    return Child


@contextlib.contextmanager
def injected(child: Child, fault: str, trace: Path):
    """Attach strace to a child that waits, with ``fault`` in the words of ``strace -e inject``.

    ``trace`` becomes the file of its calls, in which those that were made to fail are ``(INJECTED)``.
    """
    with subprocess.Popen(
        ["strace", "-f", "-o", str(trace), "-p", str(child.pid), "-e", f"inject={fault}"],
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    ) as tracer:
        assert tracer.stderr is not None
        attached = tracer.stderr.readline()
        assert b"attached" in attached, attached
        yield
        tracer.stderr.read()


@pytest.fixture(scope="session")
def needs_strace() -> None:
    """Skips where the Debian package strace is missing, or where one process may not trace another."""
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed (Debian package strace)")
    if subprocess.run(["strace", "-o", "/dev/null", "true"], capture_output=True).returncode:
        pytest.skip("this machine lets no process trace another")


@pytest.fixture(scope="session")
def thorough(request: pytest.FixtureRequest) -> bool:
    """Whether everything is to be tried, and not a sample."""
    return bool(request.config.getoption("--thorough"))


@pytest.fixture(scope="session")
def moments(array_file: Path) -> list[Checkpoint]:
    """One training at three moments: after 1, 2 and 3 steps."""
    recipe = small()
    dataset = open_images(array_file, size=recipe.size)
    trainer = start(recipe, dataset, choose_engine("cpu", "float32"), 0)
    taken = []
    for _ in range(3):
        trainer.advance()
        taken.append(capture(trainer, 0.1))
    return taken
