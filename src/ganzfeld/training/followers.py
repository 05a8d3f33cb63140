"""Who says what is done next when several processes train together: rank 0, and the others follow.

Rank 0 alone has the run folder, the clock, the signals and the decisions. Before everything that all have to
do at once it sends an order, with where the training stands: a follower has nothing to decide or to lose.
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
    """What all ranks do next: build the training, take over its state, make a step, read it, end."""

    BEGIN = 1
    STATE = 2
    STEP = 3
    READ = 4
    END = 5


_NOWHERE = (0.0,) * 6
_ONCE = -1.0
"""Stands for the progress of a horizon that has none."""


@dataclass
class Ending:
    """What rank 0 has come to: the run, once there is one."""

    run: Run | None = None


@contextlib.contextmanager
def leading(ranks: Ranks) -> Iterator[Ending]:
    """Let the other ranks follow what the block does on rank 0, and end as it ends.

    Where it fails, they raise ``Followed`` with the same exit code, after everything was saved.
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
            with contextlib.suppress(ResourceError):  # where another has gone, nobody is left to tell
                _send(ranks, Order.END, str(ending.run.path) if ending.run else "", code)


def begin(trainer: Trainer, run: Run) -> None:
    """Let the others build the training that rank 0 has built for a run."""
    if trainer.ranks.world_size == 1:
        return
    metadata = run.metadata
    terms = {
        "recipe": trainer.recipe.model_dump(mode="json"),
        "data": metadata.data,
        "preparation": metadata.reading_options(by_class=trainer.recipe.classes != "none"),
        "hashes": [trainer.dataset.content_hash, trainer.classes_hash],
        "device": str(trainer.engine.device),
        "precision": trainer.engine.precision,
        "seed": trainer.seed,
        "route": trainer.route.model_dump(mode="json"),
    }
    _send(trainer.ranks, Order.BEGIN, json.dumps(terms))


def order(trainer: Trainer, what: Order) -> None:
    """Let the others do what rank 0 does next; with ``STATE`` every number of the training is handed out."""
    ranks = trainer.ranks
    if ranks.world_size == 1:
        return
    now = horizon_at(trainer.images_seen, trainer.horizons)
    plan = (now.since, now.images, _ONCE if now.progress is None else now.progress) if now else ()
    _send(ranks, what, "", trainer.index, trainer.images_seen, trainer.rate_scale, *plan)
    if what is Order.STATE:
        _hand_out(trainer)


def _hand_out(trainer: Trainer) -> None:
    for tensor in live_tensors(trainer).values():
        trainer.ranks.broadcast(tensor)


def _send(ranks: Ranks, what: Order, text: str = "", *numbers: float) -> None:
    content = text.encode()
    ranks.broadcast(torch.tensor([what, len(content), *numbers, *_NOWHERE][:8], dtype=torch.float64))
    if content:
        ranks.broadcast(torch.frombuffer(bytearray(content), dtype=torch.uint8))


def _hear(ranks: Ranks) -> tuple[Order, str, list[float]]:
    message = torch.empty(8, dtype=torch.float64)
    ranks.broadcast(message)
    what, length, *numbers = message.tolist()
    content = torch.empty(int(length), dtype=torch.uint8)
    if length:
        ranks.broadcast(content)
    return Order(int(what)), content.numpy().tobytes().decode(), numbers


def follow(ranks: Ranks) -> Run:
    """Do what rank 0 says until it ends, and return its run. Signals are for rank 0, which gets them too."""
    trainer: Trainer | None = None
    outcome: StepOutput | None = None
    with Interruption(lambda: None):
        while True:
            what, text, numbers = _hear(ranks)
            if what is Order.END:
                if numbers[0]:
                    raise Followed("rank 0 ended, and says why", exit_code=int(numbers[0]))
                return Run(Path(text))
            if what is Order.BEGIN:
                trainer = _built(ranks, json.loads(text))
                continue
            assert trainer is not None
            _stand(trainer, numbers)
            if what is Order.STATE:
                _hand_out(trainer)
                trainer.assume_finite()
            elif what is Order.STEP:
                outcome = trainer.advance()
            else:
                assert outcome is not None
                scalars_of(outcome, ranks)


def _built(ranks: Ranks, terms: dict[str, Any]) -> Trainer:
    recipe = Recipe.model_validate(terms["recipe"])
    dataset = open_images(terms["data"], size=recipe.size, **terms["preparation"])
    route = FastPath.model_validate(terms["route"])
    engine = choose_engine(str(terms["device"]), str(terms["precision"]))
    engine = replace(engine, channels_last=route.channels_last)
    trainer = start(recipe, dataset, engine, int(terms["seed"]), ranks)
    if [dataset.content_hash, trainer.classes_hash] != terms["hashes"]:
        raise DataError(
            f"{dataset.place_of_all} is not the same here as for rank 0",
            "Every machine needs the same images at the same place.",
        )
    trainer.take(route)
    return trainer


def _stand(trainer: Trainer, numbers: list[float]) -> None:
    """Take over where rank 0 stands."""
    index, images_seen, rate_scale, since, images, progress = numbers
    reached = None if progress == _ONCE else progress
    horizons = (Horizon(int(since), int(images), reached),) if images else ()
    trainer.stand_at(index=int(index), images_seen=int(images_seen), horizons=horizons, rate_scale=rate_scale)
