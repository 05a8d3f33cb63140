"""A run folder: where its files are, and what can be done with a run that has ended or is still training.

runs/<data>-001/
  recipe.json     the complete recipe, with all defaults filled in
  run.json        the other settings: data, seed, budget, device, versions; and the events of the run
  journal.jsonl   one object per line: step, images seen, seconds, losses, logits, and from time to time
                  the doctor's readings under ``health``
  reals.png       images of the training set
  samples/        <images seen>.png: sample grids of the same seeds through time
  checkpoints/    everything that is needed to resume; see ``checkpoint_store.py``
  model/last/     generator.safetensors and card.json
  model/best/     the same two files of the best model so far, by kernel distance
  verdict.json    the doctor's latest diagnosis
  report.html     all of this on one page
  inside.html     what was made by looking into the run, of the records in inside/; see ``inside/page``
"""

import contextlib
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from pydantic import ValidationError

from ganzfeld.errors import DamagedError, GanzfeldWarning, ResourceError, UsageError
from ganzfeld.health import Diagnosis, RunEvidence, diagnose
from ganzfeld.health.order import in_order
from ganzfeld.inversion import Inversion, invert
from ganzfeld.kinds import check_arguments
from ganzfeld.lock import locked, owner
from ganzfeld.model import Model, images_of_seeds, load_model
from ganzfeld.model.files import require_openable
from ganzfeld.networks import Discriminator, Generator
from ganzfeld.networks.arguments import Labels
from ganzfeld.output import Mark, mark_of, marked
from ganzfeld.own_folder import OwnFolder
from ganzfeld.printable import printable
from ganzfeld.progress import CountCallback, counting
from ganzfeld.recipes import Recipe, read_recipe, undoing
from ganzfeld.recipes.unusual import unusual_settings
from ganzfeld.record import Record
from ganzfeld.regular import is_regular, read_regular
from ganzfeld.run_layout import LARGEST_METADATA, LOCK, METADATA, RECIPE, TRAINING_NAMES
from ganzfeld.runs.checkpoint import CheckpointCard, Position
from ganzfeld.runs.checkpoint_store import CheckpointStore
from ganzfeld.runs.discriminator import DiscriminatorCard, SavedDiscriminator, load_discriminator
from ganzfeld.runs.journal import JOURNAL, cut_journal, every, read_journal
from ganzfeld.runs.journal_reader import JournalReader, entries_around, last_entry
from ganzfeld.runs.metadata import Event, EventKind, FinalScores, RunMetadata, Trial, timestamp
from ganzfeld.runs.schedule import progress_of, rate_factor
from ganzfeld.strict_json import strict_json
from ganzfeld.value_kinds import is_whole

RESTORE_HINT = "Restore it from a copy, or train again. The model can still be used: ganzfeld sample."

_Metadata = TypeVar("_Metadata", bound=Record)


class Run:
    """A run folder, opened for reading; ``train`` returns one."""

    @check_arguments
    def __init__(self, path: str | Path) -> None:
        self.path = Path(path).resolve()
        self.folder = OwnFolder(self.path, mark=RECIPE)
        """Does all writing and deleting inside the run folder."""

    def __repr__(self) -> str:
        return f"Run({str(self.path)!r})"

    @property
    def recipe(self) -> Recipe:
        """The recipe of the run. Raises ``DamagedError`` if the file is not a recipe."""
        try:
            return read_recipe(self.path / RECIPE)
        except UsageError as error:
            raise DamagedError(f"{self.path} has no readable recipe: {error.message}", error.hint) from None

    @property
    def metadata(self) -> RunMetadata:
        """The content of ``run.json``. Raises ``DamagedError`` if it is missing or cannot be read."""
        return self._metadata_as(RunMetadata)

    def _metadata_as(self, kind: type[_Metadata], hint: str = RESTORE_HINT) -> _Metadata:
        self.folder.require()
        path = self.path / METADATA
        try:
            return kind.model_validate(strict_json(read_regular(path, LARGEST_METADATA), undecodable=True))
        except FileNotFoundError:
            raise DamagedError(f"{path} is missing") from None
        except OSError as error:
            raise DamagedError(f"{path} cannot be read: {error.strerror}") from None
        except ValidationError as error:
            mistake = error.errors()[0]
            where = "".join(f"{part}: " for part in [".".join(map(str, mistake["loc"]))] if part)
            raise DamagedError(
                f"{path} cannot be read: {where}{mistake['msg'].lower()}",
                hint,
            ) from None
        except ValueError as error:
            raise DamagedError(f"{path} cannot be read: {error}", hint) from None

    def require_readable(self) -> None:
        """Raise ``DamagedError`` if ``recipe.json`` or ``run.json`` cannot be read."""
        for read in (lambda: self.metadata, lambda: self.recipe):
            read()

    @property
    def trials(self) -> tuple[Trial, ...]:
        """The remedies that ``auto`` tried, oldest first."""
        return self.metadata.trials

    @property
    def final(self) -> FinalScores | None:
        """The scores at the end of the run; None before."""
        return self.metadata.final

    def write_metadata(self, metadata: Record) -> None:
        """Replace ``run.json``. Only the process inside ``writing`` may call this."""
        self.folder.write_json(METADATA, metadata.model_dump(mode="json"))

    def record(self, kind: EventKind, images_seen: int, what: str) -> None:
        """Add an event to ``run.json``. Only the process inside ``writing`` may call this."""
        event = Event(kind=kind, images_seen=images_seen, time=timestamp(), what=what)
        metadata = self.metadata
        self.write_metadata(metadata.changed(events=(*metadata.events, event)))

    def forget_after(self, images_seen: int, noted: Callable[[str], None]) -> None:
        """Remove the journal entries and sample grids after ``images_seen``, which will be made again.

        A file without the mark of a sample grid may be the user's: it is kept, and ``noted`` is called with
        a message. Only the process inside ``writing`` may call this.
        """
        cut_journal(self.folder, images_seen)
        for path in self.sample_files:
            if int(path.stem) <= images_seen:
                continue
            if mark_of(path) == Mark.RUN_SHEET:
                (self.folder / "samples").remove(path.name)
            else:
                noted(f"kept a file that Ganzfeld did not write (it has no mark): {printable(str(path))}")

    def write_sheet(self, images_seen: int, content: bytes, noted: Callable[[str], None]) -> None:
        """Write the sample grid at ``images_seen``, a PNG file.

        A file of that name without the mark of a sample grid may be the user's: it is kept, and ``noted`` is
        called with a message. Only the process inside ``writing`` may call this.
        """
        samples, name = self.folder / "samples", f"{images_seen}.png"
        path = samples.path / name
        if is_regular(path) and not path.is_symlink() and mark_of(path) != Mark.RUN_SHEET:
            self.folder.require()
            noted(
                "the sample grid was not saved: a file that Ganzfeld did not write (it has no mark) has its"
                f" name: {printable(str(path))}"
            )
            return
        samples.write_bytes(name, marked(content, Mark.RUN_SHEET))

    @property
    def history(self) -> CheckpointStore:
        """The checkpoints of the run."""
        return CheckpointStore(self.folder / "checkpoints")

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """Make this process the only writer of the run inside the ``with`` block.

        Once the folder is deleted, moved or replaced, every write raises ``LostFolder``. Raises
        ``ResourceError`` if another process is writing, ``DamagedError`` if something in the folder is a
        link (nothing is written or deleted through a link), and ``UsageError`` if its path is not UTF-8.
        """
        require_openable(self.path)
        lock = self.path / LOCK

        def refuse() -> None:
            raise ResourceError(
                f"{owner(lock)} is training in {self.path}", "Wait until it ends, or stop it with Ctrl-C."
            )

        with self.folder.held():
            self._require_no_links()
            with locked(lock, refuse):
                yield

    @property
    def inner_folders(self) -> list[OwnFolder]:
        """The folders inside the run folder."""
        model = self.folder / "model"
        return [self.folder / "samples", self.folder / "checkpoints", model, model / "last", model / "best"]

    def _require_no_links(self) -> None:
        self.folder.require_no_links(lambda name: name in TRAINING_NAMES)
        for folder in self.inner_folders:
            folder.require_no_links()

    @property
    def journal(self) -> list[dict[str, Any]]:
        """The entries of the journal, oldest first."""
        return read_journal(self.path / JOURNAL)

    @property
    def journal_every(self) -> int:
        """The step between the journal entries that are read: 1, or more if the run is very long."""
        return every(self.path / JOURNAL)

    @property
    def last_entry(self) -> Mapping[str, Any] | None:
        """The last entry of the journal, or None if there is none. Takes constant time."""
        return last_entry(self.path / JOURNAL)

    def entries_around(self, images_seen: int) -> tuple[Mapping[str, Any] | None, Mapping[str, Any] | None]:
        """Return the last journal entry up to ``images_seen``, and the first one after it."""
        return entries_around(self.path / JOURNAL, images_seen)

    def follow_journal(self) -> JournalReader:
        """Return a reader of the growing journal that reads only the new lines each time."""
        return JournalReader(self.path / JOURNAL)

    @property
    def evidence(self) -> RunEvidence:
        """The evidence for the doctor, from a run that has ended or is still training.

        Raises ``DamagedError`` if the recipe, the journal or ``run.json`` cannot be read.
        """
        return self._evidence_of(self.journal)

    def _evidence_of(self, entries: Sequence[Mapping[str, Any]]) -> RunEvidence:
        metadata, recipe = self.metadata, self.recipe
        # The user did not change what a remedy has set.
        set_by_remedies = {
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
            entries=in_order(entries, str(self.path / JOURNAL)),
            recipe=recipe.model_dump(mode="json"),
            num_pictures=metadata.num_pictures,
            num_duplicates=metadata.num_duplicates,
            planned_images=metadata.horizons[-1].images if metadata.horizons else metadata.images,
            rate_at=rate_at,
            class_names=metadata.class_names,
            unusual=[(setting.path, setting.sentence) for setting in unusual_settings(recipe)],
            undoing=[
                setting for setting in undoing(recipe) if setting.split("=", 1)[0] not in set_by_remedies
            ],
        )

    def diagnose(self, entries: Sequence[Mapping[str, Any]] | None = None) -> Diagnosis:
        """Return the doctor's diagnosis of the run so far; works while it trains.

        ``entries`` are the entries of the journal if they have already been read (see ``follow_journal``).
        Raises ``DamagedError`` if the recipe, the journal or ``run.json`` cannot be read.
        """
        return diagnose(self.evidence if entries is None else self._evidence_of(entries))

    def write_verdict(self, verdict: Diagnosis) -> None:
        """Write ``verdict.json``. Raises ``ResourceError`` if it cannot be written."""
        self.folder.write_json("verdict.json", verdict.as_json())

    @property
    def position(self) -> Position:
        """The position of the newest checkpoint, from its header; ``checked_position`` reads all of it.

        Raises ``DamagedError`` if no checkpoint can be read.
        """
        return self._position_of(self.history.newest_card())

    @property
    def checked_position(self) -> Position:
        """The position from which the run resumes: the newest checkpoint that matches its checksum.

        Reads whole checkpoints. Raises ``DamagedError`` if no checkpoint can be read.
        """
        newest = self.history.newest()
        return self._position_of(newest and newest.card)

    def _position_of(self, card: CheckpointCard | None) -> Position:
        if card is None:
            raise DamagedError(
                f"{self.path} has no checkpoint", "To start the run from the beginning: ganzfeld resume"
            )
        return card.position

    @property
    def sample_files(self) -> list[Path]:
        """The sample grids of fixed seeds through time, oldest first."""
        paths = (self.path / "samples").glob("*.png")
        return sorted((path for path in paths if path.stem.isdecimal()), key=lambda path: int(path.stem))

    @cached_property
    def model(self) -> Model:
        """The saved generator and its card, read once."""
        return load_model(self.path)

    @property
    def generator(self) -> Generator:
        """The saved generator: a ``torch.nn.Module`` in eval mode, with the EMA weights."""
        return self.model.generator

    @cached_property
    def saved_discriminator(self) -> SavedDiscriminator:
        """The discriminator and its card, read once from the checkpoint nearest to the model."""
        metadata = self.metadata
        at = self.model.card.images_seen
        return load_discriminator(self.history, at, metadata.channels, metadata.class_names)

    @property
    def discriminator(self) -> Discriminator:
        """The discriminator: a ``torch.nn.Module`` in eval mode, from the checkpoint nearest to the model.

        It maps images (B, channels, height, width) in [-1, 1] to logits (B,), and with classes also takes
        labels (B,). ``discriminator_card`` says at how many images it was saved. Raises ``DamagedError`` if
        no checkpoint can be read.
        """
        return self.saved_discriminator.discriminator

    @property
    def discriminator_card(self) -> DiscriminatorCard:
        """Where the discriminator comes from: it need not have trained against ``generator``."""
        return self.saved_discriminator.card

    @property
    def classes(self) -> tuple[str, ...]:
        """The class names that the model can generate; empty unless the run is conditional."""
        return self.model.card.class_names

    def sample(
        self,
        num: int | None = None,
        *,
        seeds: Sequence[int] | None = None,
        truncation: float = 1.0,
        of: Labels | None = None,
        precision: str = "float32",
    ) -> np.ndarray:
        """Generate images with the saved generator: uint8, (N, height, width, channels).

        Makes ``num`` images of the seeds 0, 1, 2, ..., or one image for each of ``seeds``; 16 by default. A
        seed always gives the same image. ``of`` is the class of all images (its name in ``run.classes``, or
        its index there), or a list with one class per image. Without it a conditional model takes its classes
        in turn: seed 0 the first class, seed 1 the second. With the ``precision`` bfloat16 images are made
        faster and differ by a few levels. Raises ``UsageError`` for both ``num`` and ``seeds``, for a ``num``
        that is not a whole number of at least 1, for seeds or a truncation out of range, and for an unknown
        class or precision.
        """
        if num is not None and seeds is not None:
            raise UsageError("sample takes a number of images (at least 1) or seeds, not both")
        if num is not None and (not is_whole(num) or num < 1):
            raise UsageError(f"sample takes a number of images (at least 1) or seeds, not {num!r}")
        chosen = range(16 if num is None else int(num)) if seeds is None else seeds
        generator, card = self.model.generator, self.model.card
        if of is not None:
            card.require_classes(of)
        return images_of_seeds(
            generator,
            chosen,
            prior=card.prior,
            truncation=truncation,
            labels=of,
            precision=precision,
            stored=card.stored,
        )

    def invert(
        self,
        images: Any,
        *,
        method: str = "fast",
        of: Labels | None = None,
        progress: bool | CountCallback | None = True,
    ) -> Inversion:
        """Find latents whose images are as near as possible to ``images``.

        ``images`` are uint8 (N, height, width, channels), or a float tensor (N, channels, height, width) in
        [-1, 1]. ``method`` is "fast", or "best", which takes some ten times as long. ``of`` is the class of
        all images, or a list of classes; without it the best class of each image is searched. Warns if there
        is no checkpoint with a discriminator. Raises ``UsageError`` for an unknown method or class, and
        ``DataError`` for images of another size or other channels than the run's.
        """
        try:
            discriminator = self.discriminator
        except DamagedError as error:
            discriminator, text = None, f"{error.message}: the encoder uses averaged pixels alone"
            warnings.warn(text, GanzfeldWarning, stacklevel=2)
        report = counting(progress)
        return invert(
            self.model, images, discriminator=discriminator, labels=of, method=method, progress=report
        )
