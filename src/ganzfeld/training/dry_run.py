"""A dry run: a short real one in a folder that is thrown away, which tells speed, memory and duration."""

import copy
import ctypes
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from ganzfeld.data.check.survey import Survey, survey
from ganzfeld.errors import UsageError
from ganzfeld.launch import launch
from ganzfeld.options import PreparationOptions, TrainOptions
from ganzfeld.runs.budget import Budget
from ganzfeld.runs.run import create_run
from ganzfeld.training.build import num_parameters
from ganzfeld.training.callbacks import TrainCallback
from ganzfeld.training.loop import Loop
from ganzfeld.training.monitors.health import HealthMonitor
from ganzfeld.training.monitors.quality import QualityMonitor
from ganzfeld.training.progress_display import ProgressCallback, callback_for
from ganzfeld.training.session import write_beginning
from ganzfeld.training.setup import ResolvedOptions, resolve_options, summary, what_to_know
from ganzfeld.training.snapshot import capture
from ganzfeld.training.trainer import Trainer, scalars_of

WARM_UP_STEPS = 4
LEAST_STEPS = 8
LEAST_S = 3.0
ROUNDS = 2
"""The heap has its size after the second: what the first leaves free lies in pieces too small for sheets."""


def rehearse(
    data: str | Path | None = None,
    options: TrainOptions = TrainOptions(),
    preparation: PreparationOptions = PreparationOptions(),
    *,
    progress: bool | ProgressCallback = True,
    callback: TrainCallback | None = None,
) -> dict[str, Any]:
    """What ``train`` with these arguments would do: a summary, sizes, and figures measured on this machine.

    ``progress`` and ``callback`` are those of ``train``. The images are read into the cache, as training
    needs them anyway. After the steps that are timed, runs of four more are carried through to their report,
    since grids, checkpoints, readings and pages need memory too. Raises what ``train`` raises.
    """
    if (number := launch().world_size) > 1:
        raise UsageError(
            f"a dry run is for one process, not for {number}", "Leave out torchrun or --dry-run."
        )
    callback = callback_for(progress, callback)
    resolved = resolve_options(options)
    trainer = resolved.build(data, preparation, callback)
    _forget_the_peak()
    dataset, recipe, budget = trainer.dataset, trainer.recipe, resolved.budget
    speed = measured_speed(trainer)
    planned = budget.images if budget.minutes is None else int(speed * 60 * budget.minutes)
    planned = planned if budget.images is None else min(planned or 0, budget.images)
    ladder = recipe.plan()
    surveyed = survey(dataset)
    _carry_through(data, trainer, resolved, preparation, surveyed, callback)
    return {
        "summary": summary(trainer),
        "ladder": [list(size[::-1]) for size in (ladder.seed, *(layer.large for layer in ladder.layers))],
        "generator_parameters": num_parameters(trainer.gan.generator),
        "discriminator_parameters": num_parameters(trainer.gan.discriminator),
        "images_per_s": round(speed, 1),
        "images": planned,
        "seconds": round((planned or 0) / speed, 1),
        "epochs": round((planned or 0) / dataset.num_pictures, 2),
        "memory_bytes": peak_memory_bytes(),
        "notes": what_to_know(trainer, surveyed),
        "recipe": recipe.model_dump(mode="json"),
    }


def _carry_through(
    data: str | Path | None,
    trainer: Trainer,
    resolved: ResolvedOptions,
    preparation: PreparationOptions,
    surveyed: Survey,
    callback: TrainCallback,
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        run = create_run(Path(folder), trainer.dataset.name)
        # A checkpoint at once, beside the next step: the thread that saves has memory of its own.
        often = replace(resolved, options=replace(resolved.options, checkpoint_seconds=1e-3))
        write_beginning(run, data, trainer, often, preparation, surveyed)
        # The real images are looked at, which the run is then spared; what it makes is not judged.
        QualityMonitor(trainer, run, callback).prepare(0.0, lambda: False)
        for _ in range(ROUNDS):
            _examine_beside_a_checkpoint(trainer)
            few_more = Budget(images=trainer.images_seen + 4 * trainer.recipe.batch)
            Loop(trainer, run, few_more, TrainCallback(), judged=False).go()


def _examine_beside_a_checkpoint(trainer: Trainer) -> None:
    """An examination may come while a checkpoint is still being written, and needs memory beside it."""
    # The state as it was taken, the bytes that it becomes, and the model.
    being_written = capture(trainer, 0.0), capture(trainer, 0.0), copy.deepcopy(trainer.gan.generator_ema)
    health_monitor = HealthMonitor(trainer)
    health_monitor.note(trainer.advance())
    health_monitor.examine(0.0, everything=True)
    del being_written


def measured_speed(trainer: Trainer) -> float:
    """Images per second, after the first steps, which set things up."""
    for _ in range(WARM_UP_STEPS):
        scalars_of(trainer.advance())
    begun, images_before, steps = time.perf_counter(), trainer.images_seen, 0
    while steps < LEAST_STEPS or time.perf_counter() - begun < LEAST_S:
        scalars_of(trainer.advance())
        steps += 1
    return (trainer.images_seen - images_before) / (time.perf_counter() - begun)


def _forget_the_peak() -> None:
    """Decoding the images and measuring the layers took memory too, and the run is spared both.

    What they left free on the heap is given back, or it would be in the way of what follows. Linux alone lets
    a process forget its peak; elsewhere the figure is the higher by as much.
    """
    if sys.platform == "linux":
        with suppress(AttributeError):  # another C library than glibc
            ctypes.CDLL(None).malloc_trim(0)
        with suppress(OSError):
            Path("/proc/self/clear_refs").write_text("5")


def peak_memory_bytes() -> int | None:
    """The most memory this process has held so far; None where the system does not say (Windows)."""
    if sys.platform == "win32":
        return None
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
