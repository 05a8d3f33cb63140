"""What a launcher of several processes, such as torchrun, tells each of them in its environment."""

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
"""What torchrun calls a launch that nobody named."""


@dataclass(frozen=True)
class Launch:
    """This process among those of one launch.

    ``rank`` among ``world_size`` processes, ``local_rank`` among ``local_world_size`` on this machine.
    ``name`` is the same whenever the processes of one launch are started again, None without a launcher that
    does so; ``restarts`` is how often that has happened.
    """

    rank: int = 0
    world_size: int = 1
    local_rank: int = 0
    local_world_size: int = 1
    name: str | None = None
    restarts: int = 0

    @property
    def speaks(self) -> bool:
        """Whether this process is the one that prints and writes."""
        return self.rank == 0


def launch(environment: Mapping[str, str] = os.environ) -> Launch:
    """The launch this process belongs to. Raises ``UsageError`` for numbers that cannot be meant."""
    world_size = _count(environment, "WORLD_SIZE", 1)
    rank = _count(environment, "RANK", 0) if world_size > 1 else 0
    if not rank < max(1, world_size):
        raise UsageError(f"RANK={rank} does not fit WORLD_SIZE={world_size}", "Start with torchrun.")
    return Launch(
        rank=rank,
        world_size=max(1, world_size),
        local_rank=_count(environment, "LOCAL_RANK", rank),
        local_world_size=_count(environment, "LOCAL_WORLD_SIZE", world_size),
        name=_name(environment),
        restarts=_count(environment, "TORCHELASTIC_RESTART_COUNT", 0),
    )


def tell_launcher(message: str, environment: Mapping[str, str] = os.environ) -> None:
    """Leave an error's message where torchrun looks for it: its summary, which comes last, then has it.

    The file is whole or not there, since torchrun itself fails on half of one and restarts nothing.
    """
    place = environment.get("TORCHELASTIC_ERROR_FILE")
    if place:
        content = {"message": message, "extraInfo": {"timestamp": str(int(time.time()))}}
        with contextlib.suppress(GanzfeldError):
            write_json(Path(place), {"message": content})


def _name(environment: Mapping[str, str]) -> str | None:
    name = environment.get("TORCHELASTIC_RUN_ID")
    if name in NAMELESS:
        # The launcher itself lives on while it starts its processes again.
        return f"process {os.getppid()} on {socket.gethostname()}"
    return name


def _count(environment: Mapping[str, str], name: str, otherwise: int) -> int:
    text = environment.get(name, "")
    if text and not (text.isdecimal() and len(text) < 10):
        raise UsageError(f"the environment says {name}={text!r}, which is no number", "Start with torchrun.")
    return int(text or otherwise)
