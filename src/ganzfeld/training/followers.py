"""Orders from rank 0 to the other ranks when several processes train together.

Rank 0 alone has the run folder, the clock, the signals and the decisions. Before everything that all ranks
must do together, it sends an order with the current position: the other ranks decide and store nothing.
"""

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import IntEnum
from pathlib import Path
from typing import Any

import torch

from ganzfeld.compute.distributed import Ranks
from ganzfeld.compute.engine import choose_engine
from ganzfeld.compute.fast_path import FastPath
from ganzfeld.data import open_images
from ganzfeld.errors import DataError, Followed, GanzfeldError, ResourceError
from ganzfeld.recipes import Recipe
from ganzfeld.runs.run import Run
from ganzfeld.runs.schedule import Horizon, horizon_at
from ganzfeld.training.build import start
from ganzfeld.training.interruption import Interruption
from ganzfeld.training.snapshot import live_tensors
from ganzfeld.training.step import StepOutput
from ganzfeld.training.trainer import Trainer, scalars_of


class Order(IntEnum):
    """What all ranks do next: build the trainer, receive its state, make a step, read its scalars, end."""

    BEGIN = 1
    STATE = 2
    STEP = 3
    READ = 4
    END = 5


_NOWHERE = (0.0,) * 6
_ONCE = -1.0
"""Encodes the progress of a horizon that has none."""


@dataclass
class Ending:
    """The result of rank 0: the run, once there is one."""

    run: Run | None = None


@contextlib.contextmanager
def leading(ranks: Ranks) -> Iterator[Ending]:
    """Run the block on rank 0, and end the other ranks when it ends.

    If the block fails, the other ranks raise ``Followed`` with the same exit code, after all was saved.
    """
    ending, code = Ending(), 1
    try:
        yield ending
        code = 0
    except GanzfeldError as error:
        code = error.exit_code
        raise
    finally:
        if ranks.world_size > 1:
            with contextlib.suppress(ResourceError):  # another rank may have died already
                _send(ranks, Order.END, str(ending.run.path) if ending.run else "", code)


def begin(trainer: Trainer, run: Run) -> None:
    """Let the other ranks build the trainer that rank 0 has built for a run."""
    if trainer.ranks.world_size == 1:
        return
    metadata = run.metadata
    plan = {
        "recipe": trainer.recipe.model_dump(mode="json"),
        "data": metadata.data,
        "preparation": metadata.reading_options(by_class=trainer.recipe.classes != "none"),
        "hashes": [trainer.dataset.content_hash, trainer.classes_hash],
        "device": str(trainer.engine.device),
        "precision": trainer.engine.precision,
        "seed": trainer.seed,
        "route": trainer.route.model_dump(mode="json"),
    }
    _send(trainer.ranks, Order.BEGIN, json.dumps(plan))


def order(trainer: Trainer, what: Order) -> None:
    """Order the other ranks to do what rank 0 does next; ``STATE`` also broadcasts all tensors."""
    ranks = trainer.ranks
    if ranks.world_size == 1:
        return
    now = horizon_at(trainer.images_seen, trainer.horizons)
    plan = (now.since, now.images, _ONCE if now.progress is None else now.progress) if now else ()
    _send(ranks, what, "", trainer.index, trainer.images_seen, trainer.rate_scale, *plan)
    if what is Order.STATE:
        _broadcast_tensors(trainer)


def _broadcast_tensors(trainer: Trainer) -> None:
    for tensor in live_tensors(trainer).values():
        trainer.ranks.broadcast(tensor)


def _send(ranks: Ranks, what: Order, text: str = "", *numbers: float) -> None:
    content = text.encode()
    ranks.broadcast(torch.tensor([what, len(content), *numbers, *_NOWHERE][:8], dtype=torch.float64))
    if content:
        ranks.broadcast(torch.frombuffer(bytearray(content), dtype=torch.uint8))


def _receive(ranks: Ranks) -> tuple[Order, str, list[float]]:
    message = torch.empty(8, dtype=torch.float64)
    ranks.broadcast(message)
    what, length, *numbers = message.tolist()
    content = torch.empty(int(length), dtype=torch.uint8)
    if length:
        ranks.broadcast(content)
    return Order(int(what)), content.numpy().tobytes().decode(), numbers


def follow(ranks: Ranks) -> Run:
    """Follow the orders of rank 0 until it ends, and return its run.

    Signals are caught and left to rank 0, which receives them too. Raises ``Followed`` if rank 0 failed.
    """
    trainer: Trainer | None = None
    output: StepOutput | None = None
    with Interruption(lambda: None):
        while True:
            what, text, numbers = _receive(ranks)
            if what is Order.END:
                if numbers[0]:
                    raise Followed("rank 0 failed; see its message", exit_code=int(numbers[0]))
                return Run(Path(text))
            if what is Order.BEGIN:
                trainer = _build_trainer(ranks, json.loads(text))
                continue
            assert trainer is not None
            _set_position(trainer, numbers)
            if what is Order.STATE:
                _broadcast_tensors(trainer)
                trainer.assume_finite()
            elif what is Order.STEP:
                output = trainer.advance()
            else:
                assert output is not None
                scalars_of(output, ranks)


def _build_trainer(ranks: Ranks, plan: dict[str, Any]) -> Trainer:
    recipe = Recipe.model_validate(plan["recipe"])
    dataset = open_images(plan["data"], size=recipe.size, **plan["preparation"])
    route = FastPath.model_validate(plan["route"])
    engine = choose_engine(str(plan["device"]), str(plan["precision"]))
    engine = replace(engine, channels_last=route.channels_last)
    trainer = start(recipe, dataset, engine, int(plan["seed"]), ranks)
    if [dataset.content_hash, trainer.classes_hash] != plan["hashes"]:
        raise DataError(
            f"the images in {dataset.place_of_all} differ from those of rank 0",
            "Put the same images at the same path on every machine.",
        )
    trainer.take(route)
    return trainer


def _set_position(trainer: Trainer, numbers: list[float]) -> None:
    """Set the position of a trainer to that of rank 0."""
    index, images_seen, rate_scale, since, images, progress = numbers
    reached = None if progress == _ONCE else progress
    horizons = (Horizon(int(since), int(images), reached),) if images else ()
    trainer.stand_at(index=int(index), images_seen=int(images_seen), horizons=horizons, rate_scale=rate_scale)
