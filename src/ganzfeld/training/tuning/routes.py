"""Measure the fastest route for a run on this machine.

The fastest algorithm for a layer depends on the chip, the library and the shape, and the best number of
threads on the size of a step; on a GPU, recorded steps may or may not be faster. All this is measured once
and cached by machine, versions, threads and networks, so that two runs with the same seed take the same
route; each run stores its own route.
"""

import contextlib
import functools
import hashlib
import json
import math
import statistics
import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, get_args

import torch
from torch import Tensor, nn

from ganzfeld.compute.autotune import CLEARLY, ROUNDS, fastest_ways
from ganzfeld.compute.cuda_graphs import REHEARSALS
from ganzfeld.compute.engine import computing_with, num_threads, release_memory, wait_for
from ganzfeld.compute.fast_path import LARGEST_FILE, USUAL, FastPath
from ganzfeld.compute.lanes import NUM_LANES
from ganzfeld.compute.tracing import TIMED_CALLS
from ganzfeld.data.cache.store import cache_root
from ganzfeld.durable import make_folder, write_json
from ganzfeld.errors import ResourceError, UsageError
from ganzfeld.networks.strided import Way, Ways
from ganzfeld.progress import CountCallback
from ganzfeld.regular import read_regular
from ganzfeld.runs.checkpoint import Checkpoint
from ganzfeld.strict_json import strict_json
from ganzfeld.training.recording import can_be_recorded
from ganzfeld.training.snapshot import capture, restore
from ganzfeld.training.step import bind_labels
from ganzfeld.training.trainer import Trainer

STEPS = 4
"""The least number of steps that are timed at once."""
LONG_STEP_S = 0.5
LONGEST_PERIOD = 20
"""The longest period, in steps, over which steps are timed. What comes more rarely does not decide what is
fastest."""

FREE: Any = {
    **dict.fromkeys(("name", "description", "notes", "ema", "gain_deviation", "schedule"), True),
    "generator": {"optimizer"},
    "discriminator": {"optimizer"},
    "loss": {"smoothing", "smooth_sides", "temperature"},
    "stabilisers": {"__all__": {"weight"}},
}
"""The fields of a recipe that do not change how long a step takes."""


def fastest_route(trainer: Trainer, progress: CountCallback) -> FastPath:
    """Return the fastest route, from the cache or measured now; ``progress`` is called while measuring."""
    if trainer.engine.device.type not in ("cpu", "cuda"):
        return USUAL
    file = cache_root() / "routes" / f"{cache_key(trainer)}.json"
    with contextlib.suppress(OSError, ValueError):
        return FastPath.model_validate(strict_json(read_regular(file, LARGEST_FILE)))
    try:
        route = measured_route(trainer, progress)
    except (MemoryError, RuntimeError) as error:
        if trainer.engine.device.type == "cpu":
            raise
        # Not cached: there may be too little memory only now. Or this driver cannot record steps.
        progress(1, 1, f"steps are not recorded: {str(error).splitlines()[0]}")
        return USUAL
    try:
        make_folder(file.parent)
        write_json(file, route.model_dump(mode="json"))
    except ResourceError:
        progress(1, 1, "measured the layers; the result could not be cached")
    return route


def route_of(choice: Collection[str] | FastPath, trainer: Trainer, progress: CountCallback) -> FastPath:
    """Return the chosen route: ``choice`` itself if it is a route, or the fastest with only these parts.

    For the parts see ``FastPath``. Raises ``UsageError`` for the route of other networks.
    """
    if isinstance(choice, FastPath):
        if unknown := sorted(choice.ways.keys() - trainer.strided_layers):
            raise UsageError(
                f"the route belongs to other networks: these have no layer {unknown[0]}",
                "Use the recipe, the size and the settings of the run that the route comes from.",
            )
        return choice
    parts = choice
    trainer.take(USUAL.limited_to(parts))
    fastest = fastest_route(trainer, progress) if "measured" in parts else USUAL
    return fastest.limited_to(parts)


def measured_route(trainer: Trainer, progress: CountCallback) -> FastPath:
    """Measure the best number of threads, and with it the fastest algorithm for every map of every layer.

    Each algorithm is measured alternately with torch's own. On a GPU, whose libraries choose the algorithms
    themselves, only recorded steps are measured against usual ones. The trainer keeps its state.
    """
    if trainer.engine.device.type == "cuda":
        progress(0, 1, "measuring recorded steps, once for these networks and this batch")
        return USUAL.model_copy(update={"recorded": recording_pays(trainer)})
    progress(0, 1, "measuring threads, once for these networks and this batch")
    threads = threads_that_pay(trainer)
    with computing_with(threads.each):
        ways = _measure_layers(trainer, progress)
    return USUAL.model_copy(update={"ways": ways, "threads": threads.each, "lanes": threads.lanes})


def recording_pays(trainer: Trainer, clearly: float = CLEARLY) -> bool:
    """Check whether recorded steps take less than ``clearly`` times as long as usual ones, to the same bits.

    Raises ``RuntimeError`` or ``MemoryError`` if steps cannot be recorded. The trainer keeps its state.
    """
    if trainer.ranks.world_size > 1 or not can_be_recorded(trainer.config):
        return False
    with keeping_state(trainer):
        before, route = capture(trainer, 0.0), trainer.route
        usual, recorded = (
            _time_steps_from(before, trainer, route.model_copy(update={"recorded": is_recorded}))
            for is_recorded in (False, True)
        )
    release_memory()
    return recorded.seconds < clearly * usual.seconds and all(
        torch.equal(tensor, usual.end.tensors[name]) for name, tensor in recorded.end.tensors.items()
    )


@dataclass(frozen=True)
class _TimedSteps:
    """The seconds that some steps took, and the state after them."""

    seconds: float
    end: Checkpoint


def _time_steps_from(before: Checkpoint, trainer: Trainer, route: FastPath) -> _TimedSteps:
    """Time steps on a route, after enough steps to record all kinds of them."""
    restore(trainer, before)
    trainer.take(route)
    period = period_of(trainer)
    for _ in range(period * (REHEARSALS + 1)):
        trainer.advance()
    wait_for(trainer.engine.device)
    begun = time.perf_counter()
    for _ in range(period * ROUNDS):
        trainer.advance()
    wait_for(trainer.engine.device)
    return _TimedSteps(time.perf_counter() - begun, capture(trainer, 0.0))


@contextlib.contextmanager
def keeping_state(trainer: Trainer) -> Iterator[None]:
    """Restore the state of a trainer and its route at the end."""
    before, route = capture(trainer, 0.0), trainer.route
    try:
        yield
    finally:
        restore(trainer, before)
        trainer.take(route)
        trainer.forget_graphs()


class Threads(NamedTuple):
    """How a step uses the CPU: the threads of each lane (None: torch's number), and the number of lanes."""

    each: int | None = None
    lanes: int = 1


def threads_that_pay(trainer: Trainer) -> Threads:
    """Return the fewest threads with which a step is nearly as fast as with any number, in one lane or two.

    Threads wait for each other at every operation, lanes only where one needs a result of the other. Long
    steps keep all threads busy and are not measured. Nor are the steps of several ranks, since all ranks
    would have to make them together.
    """
    most = num_threads()
    if most == 1 or trainer.ranks.world_size > 1:
        return Threads()
    with keeping_state(trainer):
        timed = replace(trainer, traces_from=0)
        # Not traced: the first traced steps take as long as dozens of later ones.
        if time_steps(timed, _threaded(trainer.route, Threads(most), traced=False), 2) >= 2 * LONG_STEP_S:
            return Threads()
        median_s = _median_times(timed, most)
    fastest_s = min(median_s.values())
    nearly_fastest = [threads for threads, median in median_s.items() if CLEARLY * median <= fastest_s]
    fewest = min(
        nearly_fastest,
        key=lambda threads: ((threads.each or most) * threads.lanes, median_s[threads], threads.lanes),
    )
    return Threads(None if fewest.each == most else fewest.each, fewest.lanes)


def _median_times(trainer: Trainer, most: int) -> dict[Threads, float]:
    """Return the median seconds of some steps for all choices of threads, of which there are ``most``."""
    route, choices = trainer.route, [Threads(most >> halvings) for halvings in range(most.bit_length())]
    if route.traced and can_be_recorded(trainer.config):
        choices += [Threads(each, NUM_LANES) for each, _ in choices if each and NUM_LANES * each <= most]
    routes = {threads: _threaded(route, threads, route.traced) for threads in choices}
    period = period_of(trainer)
    for choice in routes.values():
        time_steps(trainer, choice, period * (1 + TIMED_CALLS))
    times: dict[Threads, list[float]] = {threads: [] for threads in choices}
    for _ in range(ROUNDS):
        for threads, rounds in times.items():
            time_steps(trainer, routes[threads], STEPS)  # threads and caches settle after a change
            rounds.append(time_steps(trainer, routes[threads], period))
    return {threads: statistics.median(rounds) for threads, rounds in times.items()}


def _threaded(route: FastPath, threads: Threads, traced: bool) -> FastPath:
    """Return a route, with torch's own layers, that computes with these threads."""
    uses = {"traced": traced, "threads": threads.each, "lanes": threads.lanes, "ways": {}}
    return route.model_copy(update=uses)


def period_of(trainer: Trainer) -> int:
    """Return after how many steps, at least ``STEPS``, the same kinds of steps come again.

    Steps differ in whether they update G, which costs most and is looked at first, and in their lazy
    penalties. What would make the period longer than ``LONGEST_PERIOD`` is left out.
    """
    period, config = 1, trainer.config
    for every in (config.discriminator_steps, *(getattr(each, "every", 1) for each in config.stabilisers)):
        longer = math.lcm(period, every)
        period = longer if longer <= LONGEST_PERIOD else period
    return period * math.ceil(STEPS / period)


def time_steps(trainer: Trainer, route: FastPath, num_steps: int) -> float:
    """Return the seconds that ``num_steps`` steps take on a route."""
    trainer.take(route)
    device = trainer.engine.device
    wait_for(device)  # a GPU only queues what it is given: without this, launching it would be timed
    begun = time.perf_counter()
    for _ in range(num_steps):
        trainer.advance()
    wait_for(device)
    return time.perf_counter() - begun


def _measure_layers(trainer: Trainer, progress: CountCallback) -> dict[str, Ways]:
    """Return the fastest algorithms of the layers, by name, for those that differ from torch's own."""
    networks = (trainer.gan.generator, trainer.gan.discriminator)
    for network in networks:
        network.eval()  # in training mode, batch norm and spectral normalisation would change their state
    shapes = input_shapes(trainer)
    ways = {}
    for number, (name, layer) in enumerate(trainer.strided_layers.items()):
        progress(number, len(shapes), "measuring layers, once for these networks and this batch")
        ways[name] = fastest_ways(layer, shapes[name], trainer.engine)
    progress(len(shapes), len(shapes), "measuring layers, once for these networks and this batch")
    for network in networks:
        network.train()
    return {name: fastest for name, fastest in ways.items() if fastest != Ways()}


def input_shapes(trainer: Trainer) -> dict[str, tuple[int, ...]]:
    """Return the shape of the input of each strided layer in a step, by the name of the layer."""
    shapes: dict[str, tuple[int, ...]] = {}

    def record(name: str, layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        shapes[name] = tuple(inputs[0].shape)

    layers = trainer.strided_layers
    hooks = [
        layer.register_forward_pre_hook(functools.partial(record, name)) for name, layer in layers.items()
    ]
    recipe, gan = trainer.recipe, trainer.gan
    batch = 2 * recipe.batch if trainer.config.per_sample else recipe.batch
    with torch.no_grad(), trainer.engine.device:
        images = torch.zeros(batch, trainer.dataset.channels, *recipe.size[::-1])
        labels = torch.zeros(batch, dtype=torch.int64) if trainer.classes else None
        latents = torch.zeros(recipe.batch, recipe.latent.size)
        bind_labels(gan.generator, None if labels is None else labels[: recipe.batch])(latents)
        bind_labels(gan.discriminator, labels)(images)
    for hook in hooks:
        hook.remove()
    return shapes


def cache_key(trainer: Trainer) -> str:
    """Return the cache key of a measurement, 64 hexadecimal digits.

    It holds what decides how long a step takes, so recipes that differ in nothing else share a measurement.
    """
    # The text of the layers, not their weights: reading a weight advances spectral normalisation.
    layers = {name: str(layer) for name, layer in trainer.strided_layers.items()}
    identity = [
        trainer.circumstances.model_dump(),
        layers,
        get_args(Way),  # a new version may know more
        trainer.recipe.model_dump(mode="json", exclude=FREE),
        len(trainer.class_cards),
        sorted(trainer.route.parts),
        trainer.engine.channels_last,
    ]
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()
