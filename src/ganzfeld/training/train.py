"""From pictures and a recipe to a run folder with a model in it."""

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from ganzfeld.catalogue import did_you_mean
from ganzfeld.compute.distributed import ALONE, Ranks, joined
from ganzfeld.compute.engine import Engine, choose_engine
from ganzfeld.compute.fast_path import Route, chosen_route
from ganzfeld.data import Pictures, open_pictures
from ganzfeld.data.check.survey import Survey, survey
from ganzfeld.data.order import spread
from ganzfeld.durable import free_bytes, make_folder
from ganzfeld.errors import ResourceError, UsageError
from ganzfeld.kinds import of_right_kinds
from ganzfeld.launch import launch
from ganzfeld.model import columns_by_class, grid, png
from ganzfeld.model.files import require_openable
from ganzfeld.options import PreparationOptions, absolute, as_text
from ganzfeld.recipes import Recipe, changes, left_out_stabilisers, parsed, resolve
from ganzfeld.run_layout import RECIPE
from ganzfeld.runs.budget import Budget
from ganzfeld.runs.metadata import Facts, timestamp
from ganzfeld.runs.report.quality_words import require_space
from ganzfeld.runs.run import Run, create_run, run_begun_by
from ganzfeld.system import in_words
from ganzfeld.training.build import num_parameters, start
from ganzfeld.training.callbacks import Watcher
from ganzfeld.training.followers import led
from ganzfeld.training.loop import NUM_ON_A_SHEET, SHEET_COLUMNS, Loop
from ganzfeld.training.progress_display import ProgressCallback, watcher_for
from ganzfeld.training.snapshot import live_tensors
from ganzfeld.training.trainer import Trainer
from ganzfeld.training.tuning import route_of

BUILT_IN = "faces"
ON_DIVERGENCE = ("stop", "rollback")
STOPS = ("never", "plateau", "decay")
NUM_LEFT_OUT_TOLD = 3
MOST_SECONDS = 1_000_000_000


@in_words()
@of_right_kinds
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
    watcher: Watcher | None = None,
) -> Run:
    """Train a DCGAN on pictures and return its run folder, opened.

    ``data`` is a folder, an archive, an array file or None for the built-in faces. ``recipe`` is a name, a
    file or a ``Recipe``; ``size`` (pixels, one number or (width, height)), ``batch`` and ``settings``
    (``{"generator.width": 32}``) are laid over it. How images are prepared is said by the fields of
    ``PreparationOptions`` (``channels``, ``background``, ``range``, ...), which the run keeps.
    The run ends after ``minutes`` of training or ``images`` pictures seen, whichever comes first; with
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

    ``progress`` shows on stderr how the run goes, as the command does: one moving line on a terminal and in
    a notebook, elsewhere a line every ten seconds. False shows nothing. A function is called instead, as
    ``progress(p)``, about once a second, with a frozen ``ganzfeld.Progress`` that says where the run stands;
    it is also called while other work takes long (``p.activity``). What it returns is ignored. An exception
    that it raises ends the run as a signal does: the run is saved, the exception is raised here, and
    ``resume`` continues. ``watcher`` is a ``ganzfeld.training.callbacks.Watcher`` instead of a function; it
    is told every note too.

    Started by torchrun, its processes train together, each on its share of every batch; the first one alone
    writes. Started again by torchrun after a failure, they go on with the run that they began.

    It may be called in any thread, in several at once, and after a fork. Signals are caught in the main
    thread only, since Python delivers them nowhere else.

    Raises ``UsageError`` for arguments, ``DataError`` for pictures that cannot be used, ``TrainingFailed``
    when training diverges, ``ResourceError`` for folders, disks and devices, ``Interrupted`` after a signal.

    >>> run = train("photos/", recipe="modern", size=64, minutes=10)  # doctest: +SKIP
    """
    terms = agree(
        recipe=recipe,
        size=size,
        minutes=minutes,
        images=images,
        batch=batch,
        seed=seed,
        device=device,
        precision=precision,
        settings=settings,
        checkpoint_seconds=checkpoint_seconds,
        on_divergence=on_divergence,
        stop=stop,
        auto=auto,
        route=route,
        channels=channels,
        background=background,
        range=range,
        alpha=alpha,
        frames=frames,
        labels=as_text(labels),
        max_bad=max_bad,
    )
    watcher, out = watcher_for(progress, watcher), Path(out)
    with joined() as ranks:
        ranks.require(terms.recipe.batch, terms.engine.device)
        if auto and ranks.number > 1:
            raise UsageError(f"auto is for one process, not for {ranks.number}", "Leave it out.")
        run = led(ranks, lambda: _run(terms, data, out, ranks, watcher))
    if auto:
        from ganzfeld.training.auto.driver import attended  # they build on this module
        from ganzfeld.training.session import Wishes

        run = attended(run, Wishes(), watcher)
    return run


def _run(terms: "Terms", data: str | Path | None, out: Path, ranks: Ranks, watcher: Watcher) -> Run:
    here = launch()
    if here.name and here.restarts and (begun := run_begun_by(here.name, out)):
        from ganzfeld.training.session import go_on_after_restart  # it builds on this module

        return go_on_after_restart(begun, ranks, watcher)
    require_openable(out.resolve())
    make_folder(out)
    trainer = terms.begin(data, watcher, ranks)
    require_room(out, trainer)
    run = create_run(out, trainer.pictures.name)
    with run.writing():
        surveyed = survey(trainer.pictures)
        write_beginning(run, data, trainer, terms, surveyed)
        watcher.started(run, summary(trainer))
        for note in [*_about_place(run, data), *what_to_know(trainer, surveyed)]:
            watcher.noted(note)
        Loop(trainer, run, terms.budget, watcher).go()
    return run


def _about_place(run: Run, data: str | Path | None) -> list[str]:
    """What to say of a run that lies inside its own data."""
    if data is None or data == BUILT_IN or not run.path.is_relative_to(Path(data).expanduser().resolve()):
        return []
    return [f"{run.path} lies inside {data}: a run is left out wherever images are read from there"]


@dataclass(frozen=True)
class Terms:
    """What a training is agreed to be, before any picture is read."""

    recipe: Recipe
    budget: Budget
    engine: Engine
    seed: int
    preparation: PreparationOptions
    checkpoint_seconds: float
    on_divergence: str
    stop: str
    auto: bool
    route: frozenset[str] | Route

    def begin(self, data: str | Path | None, watcher: Watcher, ranks: Ranks = ALONE) -> Trainer:
        """Read the pictures and build the networks. Raises ``DataError`` for pictures that cannot be used."""
        options = asdict(self.preparation)
        pictures = open_pictures(data, size=self.recipe.size, **options, progress=watcher.preparing)
        trainer = start(self.recipe, pictures, self.engine, self.seed, ranks)
        trainer.take(route_of(self.route, trainer, watcher.preparing))
        return trainer


def agree(
    *,
    recipe: str | Path | Recipe = "modern",
    size: int | tuple[int, int] | str | None = None,
    minutes: float | None = None,
    images: int | None = None,
    batch: int | None = None,
    seed: int = 0,
    device: str = "auto",
    precision: str = "auto",
    settings: Mapping[str, Any] | Sequence[str] = (),
    checkpoint_seconds: float = 30.0,
    on_divergence: str = "stop",
    stop: str = "never",
    auto: bool = False,
    route: str | Path = "auto",
    **preparation: Any,
) -> Terms:
    """The arguments of ``train``, checked before any work is done: ``UsageError`` or ``ResourceError``.

    ``size`` and ``batch`` are laid over the recipe, and the settings over both; ``preparation`` are the
    fields of ``PreparationOptions``.
    """
    given = {name: value for name, value in (("size", size), ("batch", batch)) if value is not None}
    chosen = resolve(recipe, given | parsed(settings))
    budget = Budget(minutes, images)
    if not 0 <= seed < 2**63:
        raise UsageError(f"seed must be from 0 to {2**63 - 1}, not {seed}")
    options = PreparationOptions(**preparation)
    if not 0 < checkpoint_seconds <= MOST_SECONDS:
        raise UsageError(
            f"checkpoint-seconds must be above 0 and at most {MOST_SECONDS:,}, not {checkpoint_seconds}"
        )
    if on_divergence not in ON_DIVERGENCE:
        raise UsageError(
            f"unknown choice {on_divergence!r} for on-divergence", did_you_mean(on_divergence, ON_DIVERGENCE)
        )
    if stop not in STOPS:
        raise UsageError(f"unknown choice {stop!r} for stop", did_you_mean(stop, STOPS))
    # Where quality cannot be measured a training goes on without; what is no feature space is refused now.
    with contextlib.nullcontext() if stop != "never" else contextlib.suppress(ResourceError):
        require_space()
    way = chosen_route(route)
    layout = way.channels_last if isinstance(way, Route) else "channels-last" in way
    engine = replace(choose_engine(device, precision), channels_last=layout)
    return Terms(chosen, budget, engine, seed, options, checkpoint_seconds, on_divergence, stop, auto, way)


def changed_name(recipe: Recipe) -> str:
    """The name of a recipe, with what was changed in it."""
    changed = changes(recipe)
    return f"{recipe.name} with {' '.join(changed)}" if changed else recipe.name


def summary(trainer: Trainer) -> str:
    """What is trained on what, in one sentence."""
    pictures, recipe = trainer.pictures, trainer.recipe
    width, height = pictures.size
    kind = "grey" if pictures.channels == 1 else "colour"
    classes = f" of {len(trainer.class_cards):,} classes" if trainer.classes else ""
    numbers = [
        num_parameters(net) / 1e6 for net in (trainer.players.generator, trainer.players.discriminator)
    ]
    return (
        f"{pictures.num_pictures:,} {kind} pictures{classes} at {width}x{height},"
        f" recipe {changed_name(recipe)}, batch {recipe.batch},"
        f" {numbers[0]:.2f} + {numbers[1]:.2f} million parameters (G + D),"
        f" {trainer.engine.precision} on {trainer.engine.device}"
    )


def what_to_know(trainer: Trainer, surveyed: Survey) -> list[str]:
    """What the user should hear of the pictures and the recipe before training."""
    pictures = trainer.pictures
    left_out = [f"left out {picture.path}: {picture.reason}" for picture in pictures.unusable]
    more = len(left_out) - NUM_LEFT_OUT_TOLD
    if more > 0:
        left_out[NUM_LEFT_OUT_TOLD:] = [f"... and {more:,} more; ganzfeld check lists them"]
    warnings = [warning.text for warning in surveyed.warnings]
    values = [f"stored values {pictures.range} become black and white"] if pictures.range else []
    notes = [note for note in pictures.notes if not any(note in text for text in warnings)]
    return [*_replaced_stabilisers(trainer.recipe), *values, *notes, *warnings, *left_out]


def _replaced_stabilisers(recipe: Recipe) -> list[str]:
    """A setting of stabilisers is the whole list; whoever meant to add one should hear what went."""
    gone = ", ".join(left_out_stabilisers(recipe))
    return (
        [f"the stabilisers given replace those of the recipe {recipe.name}: {gone} left out"] if gone else []
    )


def write_beginning(
    run: Run, data: str | Path | None, trainer: Trainer, terms: Terms, surveyed: Survey
) -> None:
    """Write what a run folder holds before the first step; with the recipe, which is last, it is a run."""
    run.write_facts(_facts(data, trainer, terms, surveyed))
    show_reals(run, trainer)
    run.folder.write_json(RECIPE, trainer.recipe.model_dump(mode="json"))


def show_reals(run: Run, trainer: Trainer) -> None:
    """Write ``reals.png``: a sheet of pictures spread over the set, or over each of its classes."""
    pictures, classes = trainer.pictures, trainer.classes
    columns = columns_by_class(SHEET_COLUMNS, len(classes.names) if classes else 0)
    number = columns * (NUM_ON_A_SHEET // columns)
    indices = classes.examples(number) if classes else spread(pictures.num_pictures, number)
    run.folder.write_bytes("reals.png", png(grid(pictures.batch(indices), columns)))


def require_room(folder: Path, trainer: Trainer) -> None:
    """Raise ``ResourceError`` if the disk cannot hold the least that a training keeps: two checkpoints."""
    needed = 2 * sum(tensor.nbytes for tensor in live_tensors(trainer).values())
    free = free_bytes(folder)
    if free < needed:
        raise ResourceError(
            f"{folder} has {free / 2**20:,.1f} MiB free, and two checkpoints need {needed / 2**20:,.1f} MiB",
            "Free some space, or name a folder elsewhere with --out.",
        )


def _as_found(options: PreparationOptions, pictures: Pictures) -> PreparationOptions:
    """The options with what was found in the images, and a path that holds wherever the run is resumed."""
    return replace(options, range=pictures.range, labels=options.labels and absolute(options.labels))


def _facts(data: str | Path | None, trainer: Trainer, terms: Terms, surveyed: Survey) -> Facts:
    pictures = trainer.pictures
    return Facts(
        data=None if data is None or data == BUILT_IN else str(Path(data).absolute()),
        name=pictures.name,
        num_pictures=pictures.num_pictures,
        channels=pictures.channels,
        content_hash=pictures.content_hash,
        classes_hash=trainer.classes_hash,
        class_names=tuple(card.name for card in trainer.class_cards),
        credit=pictures.credit,
        num_unusable=len(pictures.unusable),
        num_duplicates=surveyed.num_redundant,
        preparation=_as_found(terms.preparation, pictures),
        seed=trainer.seed,
        minutes=terms.budget.minutes,
        images=terms.budget.images,
        checkpoint_seconds=terms.checkpoint_seconds,
        on_divergence=terms.on_divergence,  # pyright: ignore[reportArgumentType]  agreed before
        auto=terms.auto,
        stop=terms.stop,  # pyright: ignore[reportArgumentType]  agreed before
        horizons=(),
        route=trainer.route,
        started=timestamp(),
        launch=launch().name,
        circumstances=trainer.circumstances,
        events=(),
    )
