"""The environment variables that a launcher such as torchrun sets for each of its processes."""

import contextlib
import os
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ganzfeld.durable import write_json
from ganzfeld.errors import GanzfeldError, UsageError

NAMELESS = ("", "none")
"""The run ids that torchrun gives to a launch without a name."""


@dataclass(frozen=True)
class Launch:
    """This process as one rank of a launch.

    ``rank`` counts among the ``world_size`` processes of the launch, ``local_rank`` among the
    ``local_world_size`` processes on this machine. ``name`` identifies the launch and stays the same when the
    launcher restarts its processes (None without such a launcher); ``restarts`` counts the restarts.
    """

    rank: int = 0
    world_size: int = 1
    local_rank: int = 0
    local_world_size: int = 1
    name: str | None = None
    restarts: int = 0

    @property
    def speaks(self) -> bool:
        """Whether this process is rank 0, which prints and writes files."""
        return self.rank == 0


def launch(environment: Mapping[str, str] = os.environ) -> Launch:
    """Return the launch that this process belongs to. Raises ``UsageError`` for invalid numbers."""
    world_size = _count(environment, "WORLD_SIZE", 1)
    rank = _count(environment, "RANK", 0) if world_size > 1 else 0
    if not rank < max(1, world_size):
        raise UsageError(
            f"the environment variable RANK={rank} must be less than WORLD_SIZE={world_size}",
            "Start with torchrun.",
        )
    return Launch(
        rank=rank,
        world_size=max(1, world_size),
        local_rank=_count(environment, "LOCAL_RANK", rank),
        local_world_size=_count(environment, "LOCAL_WORLD_SIZE", world_size),
        name=_name(environment),
        restarts=_count(environment, "TORCHELASTIC_RESTART_COUNT", 0),
    )


def tell_launcher(message: str, environment: Mapping[str, str] = os.environ) -> None:
    """Write an error's message to the file that torchrun reads for its final summary.

    The file is written atomically: torchrun itself fails on an incomplete one and restarts nothing.
    """
    path = environment.get("TORCHELASTIC_ERROR_FILE")
    if path:
        content = {"message": message, "extraInfo": {"timestamp": str(int(time.time()))}}
        with contextlib.suppress(GanzfeldError):
            write_json(Path(path), {"message": content})


def _name(environment: Mapping[str, str]) -> str | None:
    name = environment.get("TORCHELASTIC_RUN_ID")
    if name in NAMELESS:
        # The launcher stays alive while it restarts its processes, so its process id identifies the launch.
        return f"process {os.getppid()} on {socket.gethostname()}"
    return name


def _count(environment: Mapping[str, str], name: str, default: int) -> int:
    text = environment.get(name, "")
    if text and not (text.isdecimal() and len(text) < 10):
        raise UsageError(
            f"the environment variable {name} must be a whole number, not {text!r}", "Start with torchrun."
        )
    return int(text or default)
