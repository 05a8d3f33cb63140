"""The public ``train`` and ``resume``: what they take, and the way from there to a finished run."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ganzfeld.compute.distributed import joined
from ganzfeld.errors import UsageError
from ganzfeld.kinds import check_arguments
from ganzfeld.options import PreparationOptions, ResumeOptions, TrainOptions
from ganzfeld.recipes import Recipe
from ganzfeld.runs import Run, open_run
from ganzfeld.system import in_words
from ganzfeld.training.auto.driver import attended
from ganzfeld.training.callbacks import TrainCallback
from ganzfeld.training.followers import follow, leading
from ganzfeld.training.overrides import Overrides
from ganzfeld.training.progress_display import ProgressCallback, callback_for
from ganzfeld.training.session import begin, begun_by_this_launch, fork, go_on, go_on_after_restart
from ganzfeld.training.setup import resolve_options


def train(
    data: str | Path | None = None,
    *,
    recipe: str | Path | Recipe = "modern",
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
    """Train a DCGAN on images and return its run folder, opened.

    ``data`` is a folder, an archive, an array file or None for the built-in faces. ``recipe`` is a name, a
    file or a ``Recipe``; ``size`` (pixels, one number or (width, height)), ``batch`` and ``settings``
    (``{"generator.width": 32}``) are laid over it. How images are prepared is said by the fields of
    ``PreparationOptions`` (``channels``, ``background``, ``range``, ...), which the run keeps.
    The run ends after ``minutes`` of training or ``images`` images seen, whichever comes first; with
    neither after five minutes. ``out`` is the folder in which the run gets a folder of its own.

    With ``images``, the same seed gives the same weights on the same machine, as long as versions, number of
    threads and route are the same. Which route is the fastest is measured once and kept in the cache: without
    that cache it is measured again, may come out otherwise, and then the last bits differ. The one that a run
    took stands in its ``run.json``, and ``route="runs/photos-001"`` repeats it.

    All that is needed to go on is saved every ``checkpoint_seconds`` of training; see ``resume``.
    ``on_divergence`` says what to do when a number stops being finite: "stop", or "rollback" to the last
    checkpoint and go on with half the learning rates, five times at most. ``stop`` is "never", "plateau" (end
    when the kernel distance no longer improves) or "decay" (when it has become worse). With ``auto`` what the
    doctor advises is tried, one remedy at a time, each in a run of its own beside the first one, within the
    same budget; the run that came out of it is returned. ``route`` is "auto", the fastest way through this
    machine, "plain", the textbook's, parts of the first between commas
    ("channels-last,one-pass,shared-backward,measured" is all of them), or a file: a run folder or its
    ``run.json``, whose route is to be taken again.

    ``progress`` shows on stderr how the run goes, as the command does: one moving line on a terminal and in a
    notebook, elsewhere a line every ten seconds. False shows nothing. A function is called instead, as
    ``progress(p)``, about once a second, with a frozen ``ganzfeld.Progress`` that says where the run stands;
    it is also called while other work takes long (``p.activity``). What it returns is ignored. An exception
    that it raises ends the run as a signal does: the run is saved, the exception is raised here, and
    ``resume`` continues. ``callback`` is a ``ganzfeld.training.callbacks.TrainCallback`` instead of a
    function; it is told every note too.

    Started by torchrun, its processes train together, each on its share of every batch; the first one alone
    writes. Started again by torchrun after a failure, they go on with the run that they began.

    It may be called in any thread, in several at once, and after a fork. Signals are caught in the main
    thread only, since Python delivers them nowhere else.

    Raises ``UsageError`` for arguments, ``DataError`` for images that cannot be used, ``TrainingFailed``
    when training diverges, ``ResourceError`` for folders, disks and devices, ``Interrupted`` after a signal.

    >>> run = train("photos/", recipe="modern", size=64, minutes=10)  # doctest: +SKIP
    """
    given = locals()
    options, preparation = TrainOptions.of(given), PreparationOptions.of(given)
    with in_words():
        resolved, callback = resolve_options(options), callback_for(progress, callback)
        with joined() as ranks:
            ranks.require(resolved.recipe.batch, resolved.engine.device)
            if auto and ranks.world_size > 1:
                raise UsageError(f"auto is for one process, not for {ranks.world_size}", "Leave it out.")
            if ranks.rank:
                return follow(ranks)
            with leading(ranks) as ending:
                if run := begun_by_this_launch(Path(options.out)):
                    go_on_after_restart(run, ranks, callback)
                else:
                    with begin(data, resolved, preparation, callback, ranks) as loop:
                        loop.go()
                    run = loop.run
                ending.run = run
        return attended(run, Overrides(), callback) if auto else run


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
    """Go on with a run from its newest checkpoint to the end of its budget, and return it.

    Weights become, bit for bit, what they would have become without the stop, as long as torch, device,
    number of threads, recipe and images are the same. Where they are not, this raises ``UsageError`` (for
    images ``DataError``), unless ``inexact`` allows it; what changed is then written to ``run.json``.

    ``from_images`` goes back to the checkpoint at that number of images, in a new run folder beside the old
    one, which stays as it is; ``settings`` may then change the recipe: anything of it from 0, which is the
    beginning, and later what leaves the networks as they are. ``minutes`` and ``images`` give the
    run another end, counted from its beginning. ``data`` says where the images are now, if they moved,
    and ``labels`` where the file of labels is.
    ``progress`` and ``callback`` are those of ``train``.

    A run that is finished is returned as it is; one that was stopped before its first checkpoint begins
    again. Raises what ``train`` raises, and ``DamagedError`` for a run whose checkpoints or files are
    damaged, or that has a model and no checkpoint any more.

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
            ending.run = _resumed(open_run(run), Overrides(options, ranks), callback)
        return ending.run


def _resumed(old: Run, overrides: Overrides, callback: TrainCallback) -> Run:
    """Go on with a run, or fork it, as the options say."""
    ranks, options = overrides.ranks, overrides.options
    if old.metadata.auto and ranks.world_size > 1:
        raise UsageError(
            f"{old.path} is trained with auto, which is for one process, not for {ranks.world_size}",
            "Start it without torchrun.",
        )
    if options.from_images is None:
        return attended(old, overrides, callback) if old.metadata.auto else go_on(old, overrides, callback)
    begun = begun_by_this_launch(old.path.parent, besides=old)
    if begun:
        new = go_on_after_restart(begun, ranks, callback)
    else:
        new = fork(old, options.from_images, options.settings, overrides, callback)
    return attended(new, overrides.without_end, callback) if new.metadata.auto else new
