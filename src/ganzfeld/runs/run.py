"""A run folder: where its files are, and what can be done with a finished or a running training.

runs/<data>-001/
  recipe.json     the resolved, complete recipe
  run.json        what else was decided: data, seed, budget, device, versions, and what happened on the way
  journal.jsonl   one object a line: step, images seen, seconds, losses, logits, and now and then
                  the doctor's readings under ``health``
  reals.png       images of the training set
  samples/        <images seen>.png: the same seeds through time
  checkpoints/    everything a training needs to go on; see ``history.py``
  model/last/     generator.safetensors and card.json
  model/best/     the same, of the best model so far by kernel distance
  verdict.json    what the doctor said last
  report.html     all of it on one page
"""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from ganzfeld.durable import make_folder
from ganzfeld.errors import DamagedError, GanzfeldError, ResourceError, UsageError
from ganzfeld.health import Diagnosis, RunEvidence, diagnose
from ganzfeld.kinds import check_arguments
from ganzfeld.lock import locked, owner
from ganzfeld.model import Model, images_of_seeds, load_model
from ganzfeld.model.files import find_weights, no_run, require_openable
from ganzfeld.networks import Generator
from ganzfeld.networks.arguments import Labels
from ganzfeld.output import Mark, mark_of, marked
from ganzfeld.own_folder import OwnFolder
from ganzfeld.printable import in_shell, printable
from ganzfeld.recipes import Recipe, read_recipe, undoing
from ganzfeld.regular import is_regular, read_regular
from ganzfeld.run_layout import LOCK, METADATA, OWN_NAMES, RECIPE
from ganzfeld.runs.checkpoint import CheckpointCard, Position
from ganzfeld.runs.checkpoint_store import CheckpointStore
from ganzfeld.runs.journal import JOURNAL, cut_journal, every, read_journal
from ganzfeld.runs.journal_reader import JournalReader, entries_around, last_entry
from ganzfeld.runs.metadata import Event, EventKind, RunMetadata, timestamp
from ganzfeld.runs.schedule import progress_of, rate_factor
from ganzfeld.strict_json import strict_json
from ganzfeld.system import in_words

COPY = "Put back a copy of it, or train anew. The model can still be used: ganzfeld sample."
LARGEST_FACTS = 1_000_000
"""Bytes; ``run.json`` has about a thousand, and a hundred for every time it was resumed."""


class Run:
    """A run folder, opened for reading; ``train`` returns one."""

    @check_arguments
    def __init__(self, path: str | Path) -> None:
        self.path = Path(path).resolve()
        self.folder = OwnFolder(self.path, mark=RECIPE)
        """Through which everything in it is written and deleted."""

    def __repr__(self) -> str:
        return f"Run({str(self.path)!r})"

    @property
    def recipe(self) -> Recipe:
        """The recipe it was trained by. Raises ``DamagedError`` if the file is not a recipe."""
        try:
            return read_recipe(self.path / RECIPE)
        except UsageError as error:
            raise DamagedError(f"{self.path} has no readable recipe: {error.message}", error.hint) from None

    @property
    def metadata(self) -> RunMetadata:
        """What ``run.json`` says. Raises ``DamagedError`` if it does not say it."""
        self.folder.require()
        path = self.path / METADATA
        try:
            return RunMetadata.model_validate(
                strict_json(read_regular(path, LARGEST_FACTS), undecodable=True)
            )
        except FileNotFoundError:
            raise DamagedError(f"{path} is missing") from None
        except OSError as error:
            raise DamagedError(f"{path} cannot be read: {error.strerror}") from None
        except ValidationError as error:
            mistake = error.errors()[0]
            where = "".join(f"{part}: " for part in [".".join(map(str, mistake["loc"]))] if part)
            raise DamagedError(
                f"{path} cannot be read: {where}{mistake['msg'].lower()}",
                COPY,
            ) from None
        except ValueError as error:
            raise DamagedError(f"{path} cannot be read: {error}", COPY) from None

    def require_readable(self) -> None:
        """Raise ``DamagedError`` if its recipe or ``run.json`` cannot be read."""
        for read in (lambda: self.metadata, lambda: self.recipe):
            read()

    def write_metadata(self, metadata: RunMetadata) -> None:
        """Replace ``run.json``. Only for the one that holds ``writing``."""
        self.folder.write_json(METADATA, metadata.model_dump(mode="json"))

    def record(self, kind: EventKind, images_seen: int, what: str) -> None:
        """Write down in ``run.json`` what happened. Only for the one that holds ``writing``."""
        event = Event(kind=kind, images_seen=images_seen, time=timestamp(), what=what)
        metadata = self.metadata
        self.write_metadata(metadata.changed(events=(*metadata.events, event)))

    def forget_after(self, images_seen: int, noted: Callable[[str], None]) -> None:
        """Leave out of journal and sheets what came after that many images: it will be told anew.

        A sheet without the mark of one may be the user's: it is left alone, and ``noted`` hears of it. Only
        for the one that holds ``writing``.
        """
        cut_journal(self.folder, images_seen)
        for sheet in self.sample_files:
            if int(sheet.stem) <= images_seen:
                continue
            if mark_of(sheet) == Mark.RUN_SHEET:
                (self.folder / "samples").remove(sheet.name)
            else:
                noted(f"left alone, since it has no mark of ours: {printable(str(sheet))}")

    def write_sheet(self, images_seen: int, content: bytes, noted: Callable[[str], None]) -> None:
        """Write the sheet of that many images, a PNG; only for the one that holds ``writing``.

        A file of that name without the mark of a sheet may be the user's: it is left alone, and ``noted``
        hears of it.
        """
        samples, name = self.folder / "samples", f"{images_seen}.png"
        path = samples.path / name
        if is_regular(path) and not path.is_symlink() and mark_of(path) != Mark.RUN_SHEET:
            self.folder.require()
            noted(f"the sample grid is not kept: left alone, without a mark of ours: {printable(str(path))}")
            return
        samples.write_bytes(name, marked(content, Mark.RUN_SHEET))

    @property
    def history(self) -> CheckpointStore:
        """Its checkpoints."""
        return CheckpointStore(self.folder / "checkpoints")

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """Be the one writer of this run while the block runs; ``ResourceError`` if there is another.

        The folder is held: every write raises ``LostFolder`` once it was deleted, moved or replaced. Raises
        ``DamagedError`` where something in it is a link, since nothing is written or deleted through one, and
        ``UsageError`` where its path is not UTF-8.
        """
        require_openable(self.path)
        lock = self.path / LOCK

        def refuse() -> None:
            raise ResourceError(
                f"{owner(lock)} is training in {self.path}", "Wait for it to end, or stop it with Ctrl-C."
            )

        with self.folder.held():
            self._require_no_links()
            with locked(lock, refuse):
                yield

    @property
    def inner_folders(self) -> list[OwnFolder]:
        """The folders in it."""
        model = self.folder / "model"
        return [self.folder / "samples", self.folder / "checkpoints", model, model / "last", model / "best"]

    def _require_no_links(self) -> None:
        self.folder.require_no_links(lambda name: name in OWN_NAMES)
        for folder in self.inner_folders:
            folder.require_no_links()

    @property
    def journal(self) -> list[dict[str, Any]]:
        """What was written down during training, oldest first."""
        return read_journal(self.path / JOURNAL)

    @property
    def journal_every(self) -> int:
        """Of how many entries of the journal one is read: 1 but for journals of very long trainings."""
        return every(self.path / JOURNAL)

    @property
    def last_entry(self) -> Mapping[str, Any] | None:
        """The last entry of the journal; None where there is none. What this costs does not grow with it."""
        return last_entry(self.path / JOURNAL)

    def entries_around(self, images_seen: int) -> tuple[Mapping[str, Any] | None, Mapping[str, Any] | None]:
        """Return the last entry of the journal up to so many images, and the first one after it."""
        return entries_around(self.path / JOURNAL, images_seen)

    def follow_journal(self) -> JournalReader:
        """Return what reads the journal while it grows, each time only what is new."""
        return JournalReader(self.path / JOURNAL)

    @property
    def evidence(self) -> RunEvidence:
        """What the doctor looks at, of a run that is over or as far as one that trains now has come.

        Raises ``DamagedError`` for a recipe, a journal or facts that cannot be read.
        """
        return self._evidence_of(self.journal)

    def _evidence_of(self, entries: Sequence[Mapping[str, Any]]) -> RunEvidence:
        metadata, recipe = self.metadata, self.recipe
        # What a remedy has set here is not what somebody has changed.
        treated = {
            setting.split("=", 1)[0]
            for trial in metadata.trials
            if trial.outcome != "undone" and trial.ill != self.path.name
            for setting in trial.settings
        }
        rolled_back = [event.images_seen for event in metadata.events if event.kind == "rolled back"]

        def rate_at(images_seen: int) -> float:
            planned = rate_factor(recipe.schedule, images_seen, progress_of(images_seen, metadata.horizons))
            return planned / 2 ** sum(at <= images_seen for at in rolled_back)

        return RunEvidence(
            entries=entries,
            recipe=recipe.model_dump(mode="json"),
            num_pictures=metadata.num_pictures,
            num_duplicates=metadata.num_duplicates,
            planned_images=metadata.horizons[-1].images if metadata.horizons else metadata.images,
            rate_at=rate_at,
            class_names=metadata.class_names,
            undoing=[each for each in undoing(recipe) if each.split("=", 1)[0] not in treated],
        )

    def diagnose(self, entries: Sequence[Mapping[str, Any]] | None = None) -> Diagnosis:
        """What the doctor says of the run as far as it has come; works while it trains.

        ``entries`` are those of the journal, where they have been read (see ``follow_journal``). Raises
        ``DamagedError`` for a recipe, a journal or facts that cannot be read.
        """
        return diagnose(self.evidence if entries is None else self._evidence_of(entries))

    def write_verdict(self, verdict: Diagnosis) -> None:
        """Write ``verdict.json``; ``ResourceError`` where that is not allowed."""
        self.folder.write_json("verdict.json", verdict.as_json())

    @property
    def position(self) -> Position:
        """Where its newest checkpoint stands, by its header; ``checked_position`` reads all of it.

        Raises ``DamagedError`` if there is none that can be read.
        """
        return self._position_of(self.history.newest_card())

    @property
    def checked_position(self) -> Position:
        """Where the run can be resumed: its newest checkpoint whose content matches its checksum.

        Reads whole checkpoints. Raises ``DamagedError`` if there is none that can be read.
        """
        newest = self.history.newest()
        return self._position_of(newest and newest.card)

    def _position_of(self, card: CheckpointCard | None) -> Position:
        if card is None:
            raise DamagedError(f"{self.path} has no checkpoint", "ganzfeld resume begins it again.")
        return card.position

    @property
    def sample_files(self) -> list[Path]:
        """The sheets of fixed seeds through time, oldest first."""
        sheets = (self.path / "samples").glob("*.png")
        return sorted(
            (sheet for sheet in sheets if sheet.stem.isdecimal()), key=lambda sheet: int(sheet.stem)
        )

    @cached_property
    def model(self) -> Model:
        """The saved generator and its card, read once."""
        return load_model(self.path)

    @property
    def generator(self) -> Generator:
        """The saved generator: a ``torch.nn.Module`` in eval mode, with the EMA weights."""
        return self.model.generator

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes that its model can be asked for; none unless it was trained by class."""
        return self.model.card.class_names

    def sample(
        self,
        num: int | None = None,
        *,
        seeds: Sequence[int] | None = None,
        truncation: float = 1.0,
        of: Labels | None = None,
    ) -> np.ndarray:
        """Images from the saved generator: uint8, (N, height, width, channels).

        ``num`` images of the seeds 0, 1, 2, ..., or one image for each of ``seeds``; 16 by default. The same
        seed gives the same image, whatever else is asked for. ``of`` is the class that all are to be of, its
        name in ``run.classes`` or its number there, or a list of these with one per image; without it a model
        with classes goes through them in turn: seed 0 is of the first, seed 1 of the second. Raises
        ``UsageError`` for a number that is not a whole one from 1 on, for both or for seeds or a truncation
        out of range, and for a class that it does not know.
        """
        if num is not None and seeds is not None:
            raise UsageError("sample takes a number of images from 1 on, or seeds, not both")
        whole = isinstance(num, int | np.integer) and not isinstance(num, bool)
        if num is not None and (not whole or num < 1):
            raise UsageError(f"sample takes a number of images from 1 on, or seeds, not {num!r}")
        chosen = range(16 if num is None else int(num)) if seeds is None else seeds
        model = self.model
        if of is not None:
            model.card.require_classes(of)
        return images_of_seeds(
            model.generator, chosen, prior=model.card.prior, truncation=truncation, labels=of
        )


@in_words()
@check_arguments
def open_run(path: str | Path) -> Run:
    """Open a run folder. Raises ``UsageError`` where there is none."""
    folder = Path(path)
    if not (folder / "recipe.json").is_file():
        if (folder / METADATA).is_file():
            raise DamagedError(f"{path} has lost its recipe.json", "Put it back, or train anew.")
        try:
            find_weights(folder)
        except UsageError:
            raise no_run(
                folder, f"{path} is not a run", "a run folder, as ganzfeld train makes one"
            ) from None
        raise UsageError(f"{path} is a model folder, not a run", "A run folder holds a recipe.json.")
    return Run(folder)


def what_is_left(path: Path | None) -> str:
    """What can be done with a run whose folder was moved to ``path`` while it trained; None: it is gone.

    No command is named that cannot work.
    """
    if path is None:
        return "What is left of it cannot go on: begin a new run."
    try:
        run = open_run(path)
        saved, data = run.history.all(), run.metadata.data
    except GanzfeldError as error:
        return f"It cannot go on there: {error.message}."
    if not saved:
        return "Nothing had been saved yet: begin a new run."
    if data is not None and not Path(data).exists():
        return f"What it had saved is there, but its images are no longer at {data}."
    return f"Go on from {saved[-1]:,} images there: ganzfeld resume {in_shell(path)}"


def run_begun_by(launch: str, out: Path) -> Run | None:
    """The newest run in a folder that the launch of this name has begun; None if there is none."""
    begun = []
    for path in sorted(out.iterdir()) if out.is_dir() else []:
        with contextlib.suppress(GanzfeldError):
            run = open_run(path)
            if run.metadata.launch == launch:
                begun.append(run)
    return max(begun, key=lambda run: run.metadata.started, default=None)


def create_run(out: Path, name: str) -> Run:
    """A new, empty run folder ``<out>/<name>-001``, or the next free number; never an existing one."""
    make_folder(out)
    number = 1 + max((_number(path.name, name) for path in out.iterdir()), default=0)
    while True:
        path = out / f"{name}-{number:03d}"
        try:
            make_folder(path, exist_ok=False)
        except FileExistsError:  # another training took it in the meantime
            number += 1
            continue
        make_folder(path / "samples")
        return Run(path)


def _number(folder: str, name: str) -> int:
    stem, _, number = folder.rpartition("-")
    return int(number) if stem == name and number.isdecimal() else 0
