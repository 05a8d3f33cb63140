"""From pictures and a recipe to a run folder with a model in it."""

import platform
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

import ganzfeld
from ganzfeld.data import open_pictures
from ganzfeld.data.advice import ENOUGH, TOO_FEW, about_number
from ganzfeld.data.survey import survey
from ganzfeld.durable import make_folder, write_json
from ganzfeld.errors import UsageError
from ganzfeld.model import grid, write_png
from ganzfeld.recipes import Recipe, changes, parsed, resolve
from ganzfeld.training.budget import Budget
from ganzfeld.training.engine import Engine, choose_engine, num_threads
from ganzfeld.training.loop import Loop
from ganzfeld.training.run import Run, create_run
from ganzfeld.training.trainer import Trainer, num_parameters, start
from ganzfeld.training.watcher import Watcher

BUILT_IN = "faces"
USUAL_RECIPE = "modern"
AUGMENTATION = "augmentation"
NUM_REALS_SHOWN = 64
NUM_LEFT_OUT_TOLD = 3


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
    max_bad: float = 0.5,
    checkpoint_seconds: float = 30.0,
    watcher: Watcher | None = None,
) -> Run:
    """Train a DCGAN on pictures and return its run folder, opened.

    ``data`` is a folder, an archive, an array file or None for the built-in faces. ``recipe`` is a name, a
    file or a ``Recipe``; ``size`` (pixels, one number or (width, height)), ``batch`` and ``settings``
    (``{"generator.width": 32}``) are laid over it. Without a recipe it is ``modern``, which gains the
    stabiliser ``augmentation`` for fewer than 1,000 pictures unless ``settings`` name the stabilisers. The
    run ends after ``minutes`` of training or ``images`` pictures seen, whichever comes first; with neither
    after five minutes. ``out`` is the folder in which the run gets a folder of its own. With ``images``, the
    same seed gives the same weights on the same machine.

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
        max_bad=max_bad,
    )
    if not checkpoint_seconds > 0:
        raise UsageError(f"checkpoint-seconds must be above 0, not {checkpoint_seconds}")
    watcher = watcher or Watcher()
    make_folder(Path(out))
    trainer = terms.begin(data, watcher)
    run = create_run(Path(out), trainer.pictures.name)
    write_json(run.path / "recipe.json", trainer.recipe.model_dump(mode="json"))
    write_json(run.path / "run.json", _facts(data, trainer, terms.budget))
    shown = trainer.pictures.batch(_spread(trainer.pictures.num_pictures, NUM_REALS_SHOWN))
    write_png(run.path / "reals.png", grid(shown, columns=8))
    watcher.started(run, summary(trainer))
    for note in what_to_know(trainer, terms):
        watcher.noted(note)
    Loop(trainer, run, terms.budget, watcher, checkpoint_seconds).go()
    return run


@dataclass(frozen=True)
class Terms:
    """What a training is agreed to be, before any picture is read.

    ``settled``: the user chose the recipe or its stabilisers, and no number of pictures changes them.
    """

    recipe: Recipe
    settled: bool
    budget: Budget
    engine: Engine
    seed: int
    max_bad: float

    def begin(self, data: str | Path | None, watcher: Watcher) -> Trainer:
        """Read the pictures and build the networks; the trainer has the recipe that fits their number.

        Raises ``DataError`` for pictures that cannot be used.
        """
        size, max_bad = self.recipe.size, self.max_bad
        pictures = open_pictures(data, size=size, max_bad=max_bad, progress=watcher.preparing)
        return start(self.recipe_for(pictures.num_pictures), pictures, self.engine, self.seed)

    def recipe_for(self, num_pictures: int) -> Recipe:
        """The recipe, with augmentation where there are too few pictures and nothing was settled."""
        if self.settled or num_pictures >= ENOUGH:
            return self.recipe
        return resolve(self.recipe, {"stabilisers": [*self.recipe.stabilisers, AUGMENTATION]})


def agree(
    *,
    recipe: str | Path | Recipe | None = None,
    size: int | tuple[int, int] | str | None = None,
    minutes: float | None = None,
    images: int | None = None,
    batch: int | None = None,
    seed: int = 0,
    device: str = "auto",
    precision: str = "auto",
    settings: Mapping[str, Any] | Sequence[str] = (),
    max_bad: float = 0.5,
) -> Terms:
    """The arguments of ``train``, checked before any work is done: ``UsageError`` or ``ResourceError``.

    ``size`` and ``batch`` are laid over the recipe, and the settings over both.
    """
    given = {name: value for name, value in (("size", size), ("batch", batch)) if value is not None}
    given |= parsed(settings)
    chosen = resolve(USUAL_RECIPE if recipe is None else recipe, given)
    settled = recipe is not None or "stabilisers" in given
    budget = Budget(minutes, images)
    if not 0 <= seed < 2**63:
        raise UsageError(f"seed must be from 0 to {2**63 - 1}, not {seed}")
    if not 0 <= max_bad <= 1:
        raise UsageError(f"max-bad must be from 0 to 1, not {max_bad}")
    return Terms(chosen, settled, budget, choose_engine(device, precision), seed, max_bad)


def changed_name(recipe: Recipe) -> str:
    """The name of a recipe, with what was changed in it; of stabilisers their names alone."""
    names = ",".join(settings["name"] for settings in recipe.stabilisers) or "none"
    changed = [
        f"stabilisers={names}" if change.startswith("stabilisers=") else change for change in changes(recipe)
    ]
    return f"{recipe.name} with {' '.join(changed)}" if changed else recipe.name


def summary(trainer: Trainer) -> str:
    """What is trained on what, in one sentence."""
    pictures, recipe = trainer.pictures, trainer.recipe
    width, height = pictures.size
    kind = "grey" if pictures.channels == 1 else "colour"
    kind += " picture" if pictures.num_pictures == 1 else " pictures"
    numbers = [
        num_parameters(net) / 1e6 for net in (trainer.players.generator, trainer.players.discriminator)
    ]
    return (
        f"{pictures.num_pictures:,} {kind} at {width}x{height}, recipe {changed_name(recipe)}, "
        f"batch {recipe.batch}, {numbers[0]:.2f} + {numbers[1]:.2f} million parameters (G + D), "
        f"{trainer.engine.precision} on {trainer.engine.device}"
    )


def what_to_know(trainer: Trainer, terms: Terms) -> list[str]:
    """What the user should hear of the pictures before training, and what it changed in the recipe."""
    pictures = trainer.pictures
    warnings = [warning for warning in survey(pictures).warnings if warning.name != TOO_FEW]
    warnings = about_number(pictures.num_pictures, _done_about_few(trainer.recipe, terms)) + warnings
    left_out = [f"left out {picture.path}: {picture.reason}" for picture in pictures.unusable]
    more = len(left_out) - NUM_LEFT_OUT_TOLD
    if more > 0:
        left_out[NUM_LEFT_OUT_TOLD:] = [f"... and {more:,} more; ganzfeld check lists them"]
    return [*pictures.notes, *(warning.text for warning in warnings), *left_out]


def _done_about_few(recipe: Recipe, terms: Terms) -> str:
    """What a training does about too few pictures, or what the user can do about it."""
    if not terms.settled:
        return f"The stabiliser {AUGMENTATION} is added; naming the recipe ({recipe.name}) trains without it."
    if any(stabiliser["name"] == AUGMENTATION for stabiliser in recipe.stabilisers):
        return ""
    return f"Consider adding the stabiliser {AUGMENTATION} to the recipe."


def _facts(data: str | Path | None, trainer: Trainer, budget: Budget) -> dict[str, Any]:
    pictures, engine = trainer.pictures, trainer.engine
    return {
        "data": None if data is None or data == BUILT_IN else str(Path(data).absolute()),
        "name": pictures.name,
        "num_pictures": pictures.num_pictures,
        "channels": pictures.channels,
        "content_hash": pictures.content_hash,
        "credit": pictures.credit,
        "num_unusable": len(pictures.unusable),
        "seed": trainer.seed,
        "device": str(engine.device),
        "precision": engine.precision,
        "threads": num_threads(),
        "minutes": budget.minutes,
        "images": budget.images,
        "horizon": None,
        "started": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "versions": {
            "ganzfeld": ganzfeld.__version__,
            "torch": torch.__version__,
            "python": platform.python_version(),
        },
    }


def _spread(num_pictures: int, wanted: int) -> np.ndarray:
    """Indices spread evenly over all pictures, each at most once."""
    return np.unique(np.linspace(0, num_pictures - 1, min(wanted, num_pictures)).astype(np.int64))
