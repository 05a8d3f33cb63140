"""A dry run: a short real run in a temporary folder that measures speed, memory and duration."""

import copy
import ctypes
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from ganzfeld.data.check.survey import Survey, survey
from ganzfeld.errors import Interrupted, ResourceError, TrainingFailed, UsageError
from ganzfeld.launch import launch
from ganzfeld.options import PreparationOptions, TrainOptions
from ganzfeld.own_folder import LostFolder
from ganzfeld.runs.budget import Budget
from ganzfeld.runs.opening import create_run
from ganzfeld.training.build import num_parameters
from ganzfeld.training.callbacks import TrainCallback
from ganzfeld.training.loop import Loop
from ganzfeld.training.monitors.health import HealthMonitor
from ganzfeld.training.monitors.quality import QualityMonitor
from ganzfeld.training.progress_display import ProgressCallback, callback_for
from ganzfeld.training.session import write_beginning
from ganzfeld.training.setup import ResolvedOptions, resolve_options, startup_notes, summary, with_recipe
from ganzfeld.training.snapshot import capture
from ganzfeld.training.trainer import Trainer, scalars_of

WARM_UP_STEPS = 4
LEAST_STEPS = 8
LEAST_S = 3.0
ROUNDS = 2
"""The heap reaches its full size in the second round: the first leaves free pieces too small for grids."""


def rehearse(
    data: str | Path | None = None,
    options: TrainOptions = TrainOptions(),
    preparation: PreparationOptions = PreparationOptions(),
    *,
    progress: bool | ProgressCallback = True,
    callback: TrainCallback | None = None,
) -> dict[str, Any]:
    """Predict what ``train`` would do with these arguments: a summary, sizes, and figures of this machine.

    ``progress`` and ``callback`` are those of ``train``. The images are read into the cache, since training
    needs them anyway. After the timed steps, runs of four more steps are trained up to their reports, since
    grids, checkpoints, readings and reports need memory too. Raises what ``train`` raises; no run can be
    resumed afterwards.
    """
    if (world_size := launch().world_size) > 1:
        raise UsageError(
            f"a dry run needs one process, and there are {world_size}", "Leave out torchrun or --dry-run."
        )
    callback = callback_for(progress, callback)
    resolved = resolve_options(with_recipe(options, data, preparation))
    trainer = replace(resolved.build(data, preparation, callback), traces_from=0)
    _reset_peak_memory()
    dataset, recipe, budget = trainer.dataset, trainer.recipe, resolved.budget
    speed = measured_speed(trainer)
    planned = budget.images if budget.minutes is None else int(speed * 60 * budget.minutes)
    planned = planned if budget.images is None else min(planned or 0, budget.images)
    ladder = recipe.plan()
    surveyed = survey(dataset)
    _train_to_report(data, trainer, resolved, preparation, surveyed, callback)
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
        "notes": startup_notes(trainer, surveyed),
        "recipe": recipe.model_dump(mode="json"),
    }


def _train_to_report(
    data: str | Path | None,
    trainer: Trainer,
    resolved: ResolvedOptions,
    preparation: PreparationOptions,
    surveyed: Survey,
    callback: TrainCallback,
) -> None:
    with tempfile.TemporaryDirectory() as folder, _keeping_nothing(folder):
        run = create_run(Path(folder), trainer.dataset.name)
        # A checkpoint is saved at once, during the next step: the thread that saves needs memory too.
        frequent = replace(resolved, options=replace(resolved.options, checkpoint_seconds=1e-3))
        write_beginning(run, data, trainer, frequent, preparation, surveyed)
        # The features of the real images are cached, which saves the run that time. Generated images are not
        # measured.
        QualityMonitor(trainer, run, callback).prepare(0.0, lambda: False)
        for _ in range(ROUNDS):
            _take_readings_during_save(trainer)
            few_more = Budget(images=trainer.images_seen + 4 * trainer.recipe.batch)
            Loop(trainer, run, few_more, TrainCallback(), measures_quality=False).go()


@contextmanager
def _keeping_nothing(folder: str) -> Iterator[None]:
    """Let errors of the run in ``folder``, which is removed, say so instead of how to resume it."""
    try:
        yield
    except Interrupted as error:
        message = "the dry run was stopped; nothing of it is kept"
        raise Interrupted(message, "Start it again.", signal_number=error.exit_code - 128) from None
    except (ResourceError, TrainingFailed) as error:
        if folder not in error.hint or isinstance(error, LostFolder):
            raise
        kind = TrainingFailed if isinstance(error, TrainingFailed) else ResourceError
        raise kind(error.message, "Nothing of the dry run is kept: start it again.") from error


def _take_readings_during_save(trainer: Trainer) -> None:
    """Take readings while as much memory is held as for writing a checkpoint, since both can coincide."""
    # The captured state, the bytes that are written, and the model.
    being_written = capture(trainer, 0.0), capture(trainer, 0.0), copy.deepcopy(trainer.gan.generator_ema)
    health_monitor = HealthMonitor(trainer)
    health_monitor.note(trainer.advance())
    health_monitor.take_readings(0.0, everything=True)
    del being_written


def measured_speed(trainer: Trainer, least_s: float = LEAST_S) -> float:
    """Measure the speed in images per second, after the slower first steps, for ``least_s`` or longer."""
    for _ in range(WARM_UP_STEPS):
        scalars_of(trainer.advance())
    begun, images_before, steps = time.perf_counter(), trainer.images_seen, 0
    while steps < LEAST_STEPS or time.perf_counter() - begun < least_s:
        scalars_of(trainer.advance())
        steps += 1
    return (trainer.images_seen - images_before) / (time.perf_counter() - begun)


def _reset_peak_memory() -> None:
    """Reset the peak memory of the process, since the run itself will not decode images or measure layers.

    Free memory on the heap is returned to the system, so that it does not distort what follows. Only on Linux
    can a process reset its peak; elsewhere the measured peak includes the preparations.
    """
    if sys.platform == "linux":
        with suppress(AttributeError):  # another C library than glibc
            ctypes.CDLL(None).malloc_trim(0)
        with suppress(OSError):
            Path("/proc/self/clear_refs").write_text("5")


def peak_memory_bytes() -> int | None:
    """Return the peak memory of this process in bytes; None if the system does not tell it (Windows)."""
    if sys.platform == "win32":
        return None
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
