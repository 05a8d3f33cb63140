"""A training small enough to run in a blink, by one process or by several."""

import concurrent.futures
import io
import multiprocessing
import os
import socket
import traceback
from collections.abc import Callable
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from typing import Any

import pytest
import torch

from ganzfeld.compute.engine import choose_engine
from ganzfeld.data import open_images
from ganzfeld.errors import GanzfeldError
from ganzfeld.recipes import Recipe, resolve
from ganzfeld.training.build import start
from ganzfeld.training.callbacks import TrainCallback
from ganzfeld.training.saver import Saver
from ganzfeld.training.trainer import Trainer

SMALL = {"size": 16, "batch": 8, "generator.width": 8, "discriminator.width": 8, "latent.size": 16}

FALLING: dict[str, Any] = {"schedule.decay": "cosine", "schedule.floor": 0.02}
"""Settings by which the learning rates fall to the end of a run."""

AT_EVERY_STEP: dict[str, Any] = {
    "progress_every_s": 0.0,
    "readings_every_s": 0.0,
    "readings_every_share": 0.0,
    "readings_cost": 1e9,
    "cheap_readings_cost": 1e9,
}
"""Fields of ``Pace`` by which every step is written down and examined."""

PATIENCE_S = 600.0
"""A machine may be as busy as it likes; what takes longer than this hangs."""


def small(name: str = "modern", **changes) -> Recipe:
    """A built-in recipe at 16 px and width 8; ``changes`` are further settings."""
    return resolve(name, SMALL | changes)


@pytest.fixture
def trainer_of(array_file):
    """Makes trainers on the 16 px blobs, in float32."""

    def make(recipe: Recipe, seed: int = 0, precision: str = "float32") -> Trainer:
        dataset = open_images(array_file, size=recipe.size)
        return start(recipe, dataset, choose_engine("cpu", precision), seed)

    return make


def save_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every checkpoint that is due is written before the next step, however slow the disk or the machine is.

    Otherwise a step goes unsaved while the one before is still being written, or where a sample grid is due.
    """
    begin = Saver.begin

    def begin_and_wait(saver: Saver, save: Callable[[], object]) -> None:
        begin(saver, save)
        assert saver._running is not None
        concurrent.futures.wait([saver._running])

    monkeypatch.setattr(Saver, "begin", begin_and_wait)
    monkeypatch.setattr(TrainCallback, "pace", replace(TrainCallback.pace, grid_every_s=1e9))


def together(number: int, work: Callable[[], Any]) -> list[Any]:
    """What ``work`` returns in each of so many processes, which are launched as torchrun does it.

    A ``GanzfeldError`` becomes a ``Raised``; any other error fails the test. Forks, which import nothing.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    launched = {"WORLD_SIZE": number, "LOCAL_WORLD_SIZE": number, "MASTER_ADDR": "127.0.0.1"}
    forks = multiprocessing.get_context("fork")
    heard = []
    for rank in range(number):
        hearing, saying = forks.Pipe(duplex=False)
        environment = launched | {"MASTER_PORT": port, "RANK": rank, "LOCAL_RANK": rank}
        process = forks.Process(target=_one_of_them, args=(environment, work, saying))
        process.start()
        saying.close()
        heard.append((process, hearing))
    try:
        results = []
        for _, hearing in heard:
            assert hearing.poll(PATIENCE_S), "a rank does not end"
            results.append(torch.load(io.BytesIO(hearing.recv_bytes()), weights_only=False))
    except BaseException:
        for process, _ in heard:
            process.kill()
        raise
    finally:
        for process, hearing in heard:
            process.join()
            hearing.close()
    broken = [result for result in results if isinstance(result, Broken)]
    assert not broken, "\n".join(each.traceback for each in broken)
    return results


@dataclass
class Raised:
    """An error meant for the user."""

    kind: str
    message: str
    exit_code: int


@dataclass
class Broken:
    """An error that no test expects."""

    traceback: str


def _one_of_them(environment: dict[str, object], work: Callable[[], Any], saying: Connection) -> None:
    os.environ |= {name: str(value) for name, value in environment.items()}
    try:
        result = work()
    except GanzfeldError as error:
        result = Raised(type(error).__name__, error.message, error.exit_code)
    except BaseException:  # noqa: BLE001  told to the parent, in whose test it fails
        result = Broken(traceback.format_exc())
    content = io.BytesIO()
    torch.save(result, content)
    saying.send_bytes(content.getvalue())
