"""Networks that are measured in situ: a generator and a discriminator that train on real images, at several
stages of their training.

They come from a short run of the lab's own, which is trained once and cached for all experiments and seeds,
or from a run of the user's. Both can be measured and trained further in memory; neither is changed.

    <cache>/lab/<key>/   one short run: its checkpoints, and journal.jsonl, which is written last
"""

import hashlib
import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ganzfeld.compute.engine import Engine, choose_engine
from ganzfeld.data import ImageDataset, open_images
from ganzfeld.data.cache.store import cache_root, locked_in
from ganzfeld.data.kinds import require_images
from ganzfeld.durable import make_folder, write_bytes
from ganzfeld.errors import DamagedError, DataError, ResourceError, TrainingFailed, UsageError
from ganzfeld.lab.language import say, together
from ganzfeld.latent import priors
from ganzfeld.networks import Discriminator, Generator
from ganzfeld.options import PreparationOptions
from ganzfeld.printable import in_shell
from ganzfeld.progress import CountCallback, counting, silent
from ganzfeld.recipes import Recipe, changes, resolve
from ganzfeld.runs import Run, open_run
from ganzfeld.runs.checkpoint import Checkpoint
from ganzfeld.runs.checkpoint_store import CheckpointStore
from ganzfeld.runs.journal import read_journal
from ganzfeld.runs.metadata import circumstances
from ganzfeld.runs.schedule import Horizon
from ganzfeld.training.build import build_networks, initialise_networks, start
from ganzfeld.training.snapshot import capture, restore
from ganzfeld.training.trainer import Trainer, scalars_of

FORMAT = 1
"""Goes up when a short run would have other numbers, so that older ones are no longer found."""

SHARES = (1 / 16, 1 / 4, 1)
"""Shares of a short run after which its state is kept, beside the beginning."""


@dataclass(frozen=True)
class Training:
    """A short run: its recipe, where its images are (None: the built-in faces), and how many it sees."""

    recipe: Recipe
    data: str | None = None
    images: int = 8_192
    seed: int = 0
    precision: str = "float32"
    preparation: PreparationOptions = field(default_factory=PreparationOptions)


def standard() -> Training:
    """Return the lab's own run: what the seed text recommends, but narrow, at 32 px, and with learning rates
    for a few seconds of training.
    """
    settings = {
        "size": 32,
        "batch": 16,
        "latent.size": 64,
        "generator.width": 16,
        "discriminator.width": 16,
        "generator.optimizer.lr": 1e-3,
        "discriminator.optimizer.lr": 1e-3,
        "ema": 0.99,
    }
    return Training(resolve("seed", settings))


def changed(training: Training, settings: Mapping[str, Any], seed: int) -> Training:
    """Return a short run by the same recipe with these settings on top, from another seed."""
    return replace(training, recipe=resolve(training.recipe, settings), seed=seed)


@dataclass(frozen=True)
class Live:
    """A run whose networks can be loaded at several stages. Changes to what it returns do not change it.

    ``place`` says in words whose networks these are. ``journal`` has an entry for every step of a short run
    (``images_seen``, ``logit_real``, ``logit_fake`` and the losses); for a run of the user's it is the
    journal of that run. ``of_user`` is true for a run of the user's.
    """

    training: Training
    dataset: ImageDataset
    engine: Engine
    history: CheckpointStore
    journal: Sequence[Mapping[str, Any]]
    place: str
    of_user: bool = False
    thorough: bool = False
    progress: CountCallback = silent

    @property
    def recipe(self) -> Recipe:
        """The recipe of the run."""
        return self.training.recipe

    @property
    def stages(self) -> list[int]:
        """The numbers of images seen at which it can be loaded, from 0 to the last."""
        return sorted({0, *self.history.all()})

    def trainer(self, images_seen: int | None = None) -> Trainer:
        """Return a trainer in the state at one of the ``stages``, by default the last.

        The caller may advance it and change its networks. Raises ``DamagedError`` if that state cannot be
        read.
        """
        trainer = start(self.recipe, self.dataset, self.engine, self.training.seed)
        trainer.set_horizons((Horizon(0, self.training.images),))
        at = self.stages[-1] if images_seen is None else images_seen
        if at:
            restore(trainer, self.history.read(at))
        return trainer

    def restarted(
        self, change: Callable[[Generator, Discriminator], None], seed: int | None = None
    ) -> Trainer:
        """Return a trainer at the beginning of the run, with networks that ``change`` has changed in place.

        All weights are initialised from the seed after the change, by default from the seed of the run.
        Nothing is saved.
        """
        seed = self.training.seed if seed is None else seed
        networks = build_networks(self.recipe, self.dataset.channels, seed)
        change(*networks)
        initialise_networks(self.recipe, *networks, seed)
        trainer = start(self.recipe, self.dataset, self.engine, seed, networks=networks)
        trainer.set_horizons((Horizon(0, self.training.images),))
        return trainer

    def real(self, num: int, seed: int = 0) -> Tensor:
        """Return ``num`` of its images, (num, C, H, W) in [-1, 1]. None repeats if there are enough."""
        chosen = np.random.default_rng(seed).permutation(self.dataset.num_pictures)
        return self.engine.images(
            self.engine.carry(self.dataset.batch(np.resize(chosen, num))), self.dataset.scale
        )

    def latents(self, num: int, seed: int = 0) -> Tensor:
        """Draw ``num`` latents of its prior, (num, n)."""
        latent, noise = self.recipe.latent, torch.Generator().manual_seed(seed)
        return priors.load(latent.prior).sample(num, latent.size, noise).to(self.engine.device)

    def variant(
        self,
        settings: Mapping[str, Any] | None = None,
        *,
        seed: int | None = None,
        images: int | None = None,
        precision: str | None = None,
    ) -> "Live":
        """Return a short run on the same images by the same recipe with these settings on top.

        Without arguments it is this run, or a short run by the recipe of the user's run.
        """
        training = self.training
        wanted = changed(training, settings or {}, training.seed if seed is None else seed)
        wanted = replace(
            wanted,
            images=training.images if images is None else images,
            precision=training.precision if precision is None else precision,
        )
        if wanted == training and not self.of_user:
            return self
        return _cached(wanted, training.recipe, self.thorough, self.progress)


def live(
    on: "Run | Training | str | Path | None" = None,
    *,
    thorough: bool = False,
    progress: bool | CountCallback | None = True,
) -> Live:
    """Return the networks to measure: of the lab's own run, of another short run, or of a run (or its
    folder).

    ``progress`` shows on stderr how far a short run is; False shows nothing, and a function is called as
    ``progress(done, total, what)`` from time to time. Raises ``UsageError`` if there is no run or it has
    classes, ``DamagedError`` if no checkpoint of it can be read, and ``DataError`` if its images are missing
    or have changed.
    """
    if on is None or isinstance(on, Training):
        training = on or standard()
        return _cached(training, training.recipe, thorough, counting(progress))
    return _of_run(on if isinstance(on, Run) else open_run(on), thorough, counting(progress))


def _of_run(run: Run, thorough: bool, progress: CountCallback) -> Live:
    metadata, history = run.metadata, run.history
    newest = history.newest(lambda damaged: None)
    if newest is None:
        raise DamagedError(
            f"{run.path} has no checkpoint, and only a checkpoint holds both networks",
            f"Resume it with ganzfeld resume {in_shell(run.path)}, or measure another run.",
        )
    card = newest.card
    require_images(card.recipe.kind)
    if card.recipe.classes != "none":
        raise UsageError(
            f"{run.path} was trained with classes, and the experiments measure networks without classes",
            "Train on the same images with --set classes=none, and measure that run.",
        )
    try:
        options = metadata.reading_options(by_class=False)
        dataset = open_images(metadata.data, size=card.recipe.size, **options, progress=progress)
    except DataError as error:
        raise DataError(
            f"the images of {run.path} can no longer be read: {error.message}",
            f"It was trained on {metadata.data}; put the images back there.",
        ) from None
    if dataset.content_hash != card.content_hash:
        raise DataError(
            f"the images at {metadata.data or 'their place'} are not those that {run.path} was trained on",
            "Put the original images back, or train a new run on these and measure that run.",
        )
    engine = _engine(card.circumstances.device, card.circumstances.precision)
    few = min(newest.images_seen, Training.images)
    training = Training(
        card.recipe, metadata.data, few, metadata.seed, engine.precision, PreparationOptions(**options)
    )
    place = say("{run} after {num:,} images", run=run.path, num=newest.images_seen)
    return Live(training, dataset, engine, history, run.journal, place, True, thorough, progress)


def _engine(device: str, precision: str) -> Engine:
    """Choose the device that the run was trained on, or the CPU if this machine has no such device."""
    try:
        return choose_engine(device, precision)
    except ResourceError:
        return choose_engine("cpu", precision)


def is_stored(training: Training, dataset: ImageDataset) -> bool:
    """Tell whether a short run on these images is in the cache, complete and undamaged."""
    folder = cache_root() / "lab" / _key(training, dataset, choose_engine("cpu", training.precision))
    return _complete(CheckpointStore(folder / "checkpoints")) is not None


def _cached(training: Training, since: Recipe, thorough: bool, progress: CountCallback) -> Live:
    """Return a short run from the cache, trained first if it is missing; one process trains it, others wait.

    Its ``place`` names the settings of its recipe that differ from ``since``.
    """
    engine = choose_engine("cpu", training.precision)
    options = asdict(training.preparation)
    dataset = open_images(training.data, size=training.recipe.size, **options, progress=progress)
    folder = cache_root() / "lab" / _key(training, dataset, engine)

    def waiting() -> None:
        progress(0, training.images, "another process is training this for the lab")

    cached: tuple[CheckpointStore, list[dict[str, Any]]] | None = None
    while cached is None:  # another process may prune the cache while this one waits
        make_folder(folder)
        with locked_in(folder, waiting) as is_there:
            history = CheckpointStore(folder / "checkpoints")
            cached = _complete(history) if is_there else None
            if is_there and cached is None:
                shutil.rmtree(history.folder, ignore_errors=True)
                trainer = start(training.recipe, dataset, engine, training.seed)
                _train(trainer, training.images, history, progress)
                cached = _complete(history)
    history, journal = cached
    data = say("the built-in faces") if training.data is None else training.data
    details = together(
        [say("{num:,} images", num=training.images), *changes(training.recipe, since=since)], ", "
    )
    place = say("a short run on {data} ({details})", data=data, details=details)
    return Live(training, dataset, engine, history, journal, place, False, thorough, progress)


def _key(training: Training, dataset: ImageDataset, engine: Engine) -> str:
    """Return a hash of everything that the numbers of a short run depend on, 64 hexadecimal digits."""
    recipe = training.recipe.model_dump(mode="json", exclude={"name", "description", "notes"})
    here = circumstances(engine, None, 1).model_dump(mode="json")
    identity = [FORMAT, recipe, dataset.content_hash, training.images, training.seed, here]
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()


class _InMemory(CheckpointStore):
    """The few small checkpoints of a short run, which stay usable when the cache is pruned."""

    def __init__(self, history: CheckpointStore) -> None:
        super().__init__(history.folder)
        self._checkpoints = {images_seen: history.read(images_seen) for images_seen in history.all()}

    def all(self) -> list[int]:
        """Return the numbers of images seen at which there is a checkpoint."""
        return sorted(self._checkpoints)

    def read(self, images_seen: int) -> Checkpoint:
        """Return the checkpoint at that number of images seen."""
        return self._checkpoints[images_seen]


def _complete(history: CheckpointStore) -> tuple[CheckpointStore, list[dict[str, Any]]] | None:
    """Return the checkpoints and the journal of a short run if it is complete and undamaged, else None."""
    path = _journal_of(history)
    try:
        return (_InMemory(history), read_journal(path)) if path.is_file() else None
    except (DamagedError, OSError):
        return None


def _train(trainer: Trainer, images: int, history: CheckpointStore, progress: CountCallback) -> None:
    """Train from the beginning and save the stages. Raise ``TrainingFailed`` if a number is not finite."""
    trainer.set_horizons((Horizon(0, images),))
    num_steps = max(1, round(images / trainer.recipe.batch))
    stages = {max(1, round(share * num_steps)) for share in SHARES}
    entries = []
    for index in range(1, num_steps + 1):
        scalars = scalars_of(trainer.advance())
        if not scalars.all_finite:
            raise TrainingFailed(
                f"a short run of the lab stopped being finite after {trainer.images_seen:,} images",
                "Change the settings of the experiment or of the recipe, for example the learning rates.",
            )
        entries.append({"step": index, "images_seen": trainer.images_seen, **scalars.values})
        if index in stages:
            history.write(capture(trainer, 0.0))
        progress(index, num_steps, "training for the lab")
    write_bytes(_journal_of(history), "".join(json.dumps(entry) + "\n" for entry in entries).encode())


def _journal_of(history: CheckpointStore) -> Path:
    return history.folder.parent / "journal.jsonl"
