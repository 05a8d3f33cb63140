"""The fastest route of a training on this machine.

Which way of computing a layer is the fastest depends on the chip, the library and the shape, and how many
threads pay on the size of a step; on a graphics card, whether recorded steps pay. All is measured once and
kept in the cache, by machine, versions, threads and networks, so that two trainings with one seed take one
route; a run remembers its own.
"""

import contextlib
import functools
import hashlib
import json
import math
import statistics
import time
from collections.abc import Collection
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ganzfeld.compute.autotune import CLEARLY, ROUNDS, fastest_ways
from ganzfeld.compute.cuda_graphs import REHEARSALS
from ganzfeld.compute.engine import computing_with, num_threads, release_memory, wait_for
from ganzfeld.compute.fast_path import LARGEST_FILE, USUAL, FastPath
from ganzfeld.data.cache.store import cache_root
from ganzfeld.durable import make_folder, write_json
from ganzfeld.errors import ResourceError, UsageError
from ganzfeld.networks.strided import Ways
from ganzfeld.progress import CountCallback
from ganzfeld.regular import read_regular
from ganzfeld.runs.checkpoint import Checkpoint
from ganzfeld.strict_json import strict_json
from ganzfeld.training.recording import can_be_recorded
from ganzfeld.training.snapshot import capture, restore
from ganzfeld.training.step import bind_labels
from ganzfeld.training.trainer import Trainer

STEPS = 4  # of which one has the penalties that come at every fourth
LONG_STEP_S = 0.5


def fastest_route(trainer: Trainer, progress: CountCallback) -> FastPath:
    """The fastest route, measured now or known from before; ``progress`` hears of measuring."""
    if trainer.engine.device.type not in ("cpu", "cuda"):
        return USUAL
    file = cache_root() / "routes" / f"{_key(trainer)}.json"
    with contextlib.suppress(OSError, ValueError):
        return FastPath.model_validate(strict_json(read_regular(file, LARGEST_FILE)))
    try:
        route = measured_route(trainer, progress)
    except (MemoryError, RuntimeError) as error:
        if trainer.engine.device.type == "cpu":
            raise
        # There is not the memory for it now, or this driver does not record: that is asked again next time.
        progress(1, 1, f"steps are not recorded: {str(error).splitlines()[0]}")
        return USUAL
    try:
        make_folder(file.parent)
        write_json(file, route.model_dump(mode="json"))
    except ResourceError:
        progress(1, 1, "measured the layers; the cache could not keep that")
    return route


def route_of(choice: Collection[str] | FastPath, trainer: Trainer, progress: CountCallback) -> FastPath:
    """A route as it was chosen: that very one, or the fastest that takes no other parts than these.

    See ``route.PARTS``. Raises ``UsageError`` for the route of other networks.
    """
    if isinstance(choice, FastPath):
        if unknown := sorted(choice.ways.keys() - trainer.strided_layers):
            raise UsageError(
                f"the route is one of other networks: these have no layer {unknown[0]}",
                "Use the recipe, the size and the settings of that run.",
            )
        return choice
    parts = choice
    trainer.take(USUAL.limited_to(parts))
    fastest = fastest_route(trainer, progress) if "measured" in parts else USUAL
    return fastest.limited_to(parts)


def measured_route(trainer: Trainer, progress: CountCallback) -> FastPath:
    """So many threads as pay, and with them the fastest way of every map of every layer.

    Each way is measured against torch's own in turns. On a graphics card, whose libraries choose their ways
    and which needs no threads, whether recorded steps pay. The training stays as it was.
    """
    if trainer.engine.device.type == "cuda":
        progress(0, 1, "measuring recorded steps, once on this machine")
        return FastPath(recorded=recording_pays(trainer))
    progress(0, 1, "measuring threads, once on this machine")
    threads = threads_that_pay(trainer)
    with computing_with(threads):
        ways = _ways(trainer, progress)
    return FastPath(ways=ways, threads=threads)


def recording_pays(trainer: Trainer, clearly: float = CLEARLY) -> bool:
    """Whether recorded steps take less than that share of the time of usual ones, and leave the same bits.

    Raises ``RuntimeError`` or ``MemoryError`` where none can be recorded. The training stays as it was.
    """
    if trainer.ranks.world_size > 1 or not can_be_recorded(trainer.config):
        return False
    before, route = capture(trainer, 0.0), trainer.route
    try:
        usual, recorded = (
            _steps_from(before, trainer, route.model_copy(update={"recorded": each}))
            for each in (False, True)
        )
    finally:
        restore(trainer, before)
        trainer.take(route)
        trainer.forget_graphs()
        release_memory()
    return recorded.took_s < clearly * usual.took_s and all(
        torch.equal(tensor, usual.ended.tensors[name]) for name, tensor in recorded.ended.tensors.items()
    )


@dataclass(frozen=True)
class _Steps:
    """What steps took, and where the training then stood."""

    took_s: float
    ended: Checkpoint


def _steps_from(before: Checkpoint, trainer: Trainer, route: FastPath) -> _Steps:
    """Steps by a route, after as many as it takes to record those of every kind."""
    restore(trainer, before)
    trainer.take(route)
    turn = math.lcm(STEPS, *(getattr(each, "every", 1) for each in trainer.config.stabilisers))
    for _ in range(turn * (REHEARSALS + 1)):
        trainer.advance()
    wait_for(trainer.engine.device)
    begun = time.perf_counter()
    for _ in range(turn * ROUNDS):
        trainer.advance()
    wait_for(trainer.engine.device)
    return _Steps(time.perf_counter() - begun, capture(trainer, 0.0))


def threads_that_pay(trainer: Trainer) -> int | None:
    """The fewest threads with which a step is nearly as fast as with any number; None: all of them.

    Threads wait for each other at every operation. Steps that take long keep all of them busy and are not
    measured; nor are those of several ranks, all of which would have to make them.
    """
    most = num_threads()
    if most == 1 or trainer.ranks.world_size > 1:
        return None
    before, route = capture(trainer, 0.0), trainer.route
    fewest = None
    if _steps_s(trainer, most, 2) < 2 * LONG_STEP_S:
        took: dict[int, list[float]] = {most >> halvings: [] for halvings in range(most.bit_length())}
        for _ in range(ROUNDS):
            for threads, rounds in took.items():
                rounds.append(_steps_s(trainer, threads, STEPS))
        median_s = {threads: statistics.median(rounds) for threads, rounds in took.items()}
        fewest = min(
            threads for threads, each in median_s.items() if CLEARLY * each <= min(median_s.values())
        )
    restore(trainer, before)
    trainer.take(route)
    return None if fewest == most else fewest


def _steps_s(trainer: Trainer, threads: int, steps: int) -> float:
    """Seconds that so many steps take."""
    trainer.take(USUAL.model_copy(update={"threads": threads}))
    begun = time.perf_counter()
    for _ in range(steps):
        trainer.advance()
    return time.perf_counter() - begun


def _ways(trainer: Trainer, progress: CountCallback) -> dict[str, Ways]:
    networks = (trainer.gan.generator, trainer.gan.discriminator)
    for network in networks:
        network.eval()  # batch norm and spectral normalisation change when they are used in training
    shapes = _input_shapes(trainer)
    ways = {}
    for number, (name, layer) in enumerate(trainer.strided_layers.items()):
        progress(number, len(shapes), "measuring layers, once on this machine")
        ways[name] = fastest_ways(layer, shapes[name], trainer.engine)
    progress(len(shapes), len(shapes), "measuring layers, once on this machine")
    for network in networks:
        network.train()
    return {name: each for name, each in ways.items() if each != Ways()}


def _input_shapes(trainer: Trainer) -> dict[str, tuple[int, ...]]:
    """What each layer is given in a step."""
    shapes: dict[str, tuple[int, ...]] = {}

    def note(name: str, layer: nn.Module, given: tuple[Tensor, ...]) -> None:
        shapes[name] = tuple(given[0].shape)

    layers = trainer.strided_layers
    hooks = [layer.register_forward_pre_hook(functools.partial(note, name)) for name, layer in layers.items()]
    recipe, gan = trainer.recipe, trainer.gan
    batch = 2 * recipe.batch if trainer.config.per_sample else recipe.batch
    dataset = torch.zeros(batch, trainer.dataset.channels, *recipe.size[::-1])
    labels = torch.zeros(batch, dtype=torch.int64) if trainer.classes else None
    with torch.no_grad():
        bind_labels(gan.generator, None if labels is None else labels[: recipe.batch])(
            torch.zeros(recipe.batch, recipe.latent.size)
        )
        bind_labels(gan.discriminator, labels)(dataset)
    for hook in hooks:
        hook.remove()
    return shapes


def _key(trainer: Trainer) -> str:
    """What a measurement is good for, as 64 hexadecimal digits."""
    # Not the weights themselves: spectral normalisation takes a step whenever it is asked for one.
    layers = {name: str(layer) for name, layer in trainer.strided_layers.items()}
    identity = [
        trainer.circumstances.model_dump(),
        layers,
        trainer.recipe.batch,
        trainer.recipe.size,
        trainer.config.per_sample,
        trainer.engine.channels_last,
    ]
    if trainer.engine.device.type == "cuda":  # what a step does there is recorded, and not only its layers
        identity += [
            trainer.recipe.model_dump(mode="json"),
            sorted(trainer.route.parts),
            trainer.ranks.world_size,
        ]
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()
