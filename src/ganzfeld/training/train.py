"""The public functions ``train`` and ``resume``: from their arguments to a finished run."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ganzfeld.compute.distributed import joined
from ganzfeld.errors import UsageError
from ganzfeld.kinds import check_arguments
from ganzfeld.launch import launch
from ganzfeld.options import PreparationOptions, ResumeOptions, TrainOptions
from ganzfeld.recipes import Recipe
from ganzfeld.runs import Run, open_run
from ganzfeld.system import in_words
from ganzfeld.training.auto.driver import train_with_auto
from ganzfeld.training.callbacks import TrainCallback
from ganzfeld.training.followers import follow, leading
from ganzfeld.training.overrides import Overrides
from ganzfeld.training.progress_display import ProgressCallback, callback_for
from ganzfeld.training.session import begin, continue_after_restart, continue_run, find_run_of_launch, fork
from ganzfeld.training.setup import resolve_options, with_recipe
from ganzfeld.training.tuning.batches import forget_other_speeds


def train(
    data: str | Path | None = None,
    *,
    recipe: str | Path | Recipe | None = None,
    size: int | tuple[int, int] | str | None = None,
    minutes: float | None = None,
    images: int | None = None,
    batch: int | None = None,
    seed: int = 0,
    device: str = "auto",
    precision: str = "auto",
    out: str | Path = "runs",
    settings: Mapping[str, Any] | Sequence[str] = (),
    channels: int | None = None,
    background: str = "white",
    range: str | tuple[float, float] | None = None,
    alpha: str | None = None,
    frames: str | int = "first",
    kind: str | None = None,
    axes: str | None = None,
    scale: str | None = None,
    labels: str | Path | None = None,
    max_bad: float = 0.5,
    checkpoint_seconds: float = 30.0,
    on_divergence: str = "stop",
    stop: str = "never",
    auto: bool = False,
    route: str | Path = "auto",
    progress: bool | ProgressCallback = True,
    callback: TrainCallback | None = None,
) -> Run:
    """Train a DCGAN on images and return the run.

    ``data`` is a folder, an archive, an array file or None for the built-in faces. ``recipe`` is a name, a
    file, a ``Recipe`` or None for that of the kind of the data (modern for images); ``size`` (pixels, one
    number or (width, height)), ``batch`` and ``settings`` (``{"generator.width": 32}``) override its values.
    The fields of ``PreparationOptions`` (``channels``, ``background``, ``range``, ...) decide how images are
    prepared; the run stores them. The run ends after ``minutes`` of training or ``images`` images seen,
    whichever comes first; with neither, after five minutes. ``out`` is the folder in which the run folder is
    created.

    With ``images``, the same seed gives the same weights on the same machine, as long as versions, number of
    threads and route are the same. The fastest route is measured once and kept in the cache: without that
    cache it is measured again, the result may differ, and then the last bits differ. The route that a run
    took is stored in its ``run.json``, and ``route="runs/photos-001"`` repeats it.

    A checkpoint is saved every ``checkpoint_seconds`` of training; see ``resume``. ``on_divergence`` decides
    what happens when a number stops being finite: "stop", or "rollback" to the last checkpoint and continue
    with half the learning rates, at most five times. ``stop`` is "never", "plateau" (end when the kernel
    distance no longer improves) or "decay" (end when it has become worse). With ``auto``, the remedies of the
    doctor are tried one at a time, each in a new run beside the first one, within the same budget; the run
    that results is returned. ``route`` is "auto" (the fastest on this machine), "plain" (without
    optimizations), a comma-separated list of some parts of "auto" (``ganzfeld.compute.fast_path.PARTS`` lists
    them), or a run folder or its ``run.json``, whose route is repeated.

    ``progress`` shows the progress of the run on stderr, as the command does: one moving line on a terminal
    and in a notebook, elsewhere a line every ten seconds. False shows nothing. A function is called instead,
    as ``progress(p)``, about once a second, with a frozen ``ganzfeld.Progress``; it is also called during
    other long work (``p.activity``). Its return value is ignored. An exception that it raises ends the run as
    a signal does: the run is saved, the exception is raised here, and ``resume`` continues the run.
    ``callback`` is a ``ganzfeld.training.callbacks.TrainCallback`` instead of a function; it is also called
    with every note.

    Processes started by torchrun train together, each on its share of every batch; only the first one writes.
    When torchrun restarts them after a failure, they continue the run that they began.

    This function may be called in any thread, in several threads at once, and after a fork. Signals are
    caught in the main thread only, since Python delivers them nowhere else.

    Raises ``UsageError`` for invalid arguments, ``DataError`` for images that cannot be used,
    ``TrainingFailed`` when training diverges, ``ResourceError`` for folders, disks and devices, and
    ``Interrupted`` after a signal.

    >>> run = train("photos/", recipe="modern", size=64, minutes=10)  # doctest: +SKIP
    """
    arguments = locals()
    options, preparation = TrainOptions.of(arguments), PreparationOptions.of(arguments)
    with in_words():
        resolved = resolve_options(with_recipe(options, data, preparation))
        callback = callback_for(progress, callback)
        # Before the ranks connect, so that all of them say the same.
        _require_one_process_for(auto, launch().world_size)
        with joined() as ranks:
            ranks.require(resolved.recipe.batch, resolved.engine.device)
            _require_one_process_for(auto, ranks.world_size)
            if ranks.rank:
                return follow(ranks)
            with leading(ranks) as ending:
                if run := find_run_of_launch(Path(options.out)):
                    continue_after_restart(run, ranks, callback)
                else:
                    with begin(data, resolved, preparation, callback, ranks) as loop:
                        loop.go()
                    forget_other_speeds(loop.trainer, loop.stopwatch.seconds)
                    run = loop.run
                ending.run = run
        return train_with_auto(run, Overrides(), callback) if auto else run


def _require_one_process_for(auto: bool, num_processes: int) -> None:
    """Raise ``UsageError`` for ``auto`` in several processes."""
    if auto and num_processes > 1:
        raise UsageError(
            f"auto needs one process, and there are {num_processes}",
            "Leave auto out, or start without torchrun.",
        )


@in_words()
@check_arguments
def resume(
    run: str | Path,
    *,
    from_images: int | None = None,
    settings: Mapping[str, Any] | Sequence[str] = (),
    minutes: float | None = None,
    images: int | None = None,
    data: str | Path | None = None,
    labels: str | Path | None = None,
    device: str | None = None,
    inexact: bool = False,
    progress: bool | ProgressCallback = True,
    callback: TrainCallback | None = None,
) -> Run:
    """Resume a run from its newest checkpoint, train it to the end of its budget, and return it.

    The weights become, bit for bit, what they would have become without the stop, as long as torch, device,
    number of threads, recipe and images are the same. If these differ, this raises ``UsageError`` (for
    images ``DataError``), unless ``inexact`` allows it; the differences are then written to ``run.json``.

    ``from_images`` goes back to the checkpoint at that number of images, in a new run folder beside the old
    one, which is not changed. ``settings`` may then change the recipe: from 0, the beginning, all of it;
    later, only what leaves the networks as they are. ``minutes`` and ``images`` give the run another end,
    counted from its beginning. ``data`` is the new path of the images, if they moved, and ``labels`` that of
    the file of labels. ``progress`` and ``callback`` are those of ``train``.

    A finished run is returned unchanged; a run that was stopped before its first checkpoint begins again.
    Raises what ``train`` raises, and ``DamagedError`` for a run whose checkpoints or files are damaged, or
    that has a model but no checkpoint.

    >>> run = resume("runs/photos-001")  # doctest: +SKIP
    """
    options = ResumeOptions.of(locals())
    if from_images is None and options.settings:
        raise UsageError("settings of a run cannot change on the way", "Fork it: add --from IMAGES_SEEN.")
    callback = callback_for(progress, callback)
    with joined() as ranks:
        if ranks.rank:
            return follow(ranks)
        with leading(ranks) as ending:
            ending.run = _resume(open_run(run), Overrides(options, ranks), callback)
        return ending.run


def _resume(old: Run, overrides: Overrides, callback: TrainCallback) -> Run:
    """Continue a run, or fork it, as the options specify."""
    ranks, options = overrides.ranks, overrides.options
    if old.metadata.auto and ranks.world_size > 1:
        raise UsageError(
            f"{old.path} is trained with auto, which needs one process, and there are {ranks.world_size}",
            "Start without torchrun.",
        )
    if options.from_images is None:
        return (
            train_with_auto(old, overrides, callback)
            if old.metadata.auto
            else continue_run(old, overrides, callback)
        )
    restarted = find_run_of_launch(old.path.parent, besides=old)
    if restarted:
        new = continue_after_restart(restarted, ranks, callback)
    else:
        new = fork(old, options.from_images, options.settings, overrides, callback)
    return train_with_auto(new, overrides.without_end, callback) if new.metadata.auto else new
