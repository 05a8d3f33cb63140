"""A run folder: where its files are, and what can be done with a finished or a running training.

runs/<data>-001/
  recipe.json     the resolved, complete recipe
  run.json        what else was decided: data, seed, device, precision, budget, versions
  journal.jsonl   one object a line: step, images seen, seconds, losses, logits
  reals.png       pictures of the training set
  samples/        <images seen>.png: the same seeds through time
  model/last/     generator.safetensors and card.json
  report.html     all of it on one page
"""

import json
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ganzfeld.durable import make_folder
from ganzfeld.errors import DamagedError, UsageError
from ganzfeld.model import Model, load_model, pictures_of_seeds
from ganzfeld.model.files import find_weights
from ganzfeld.networks import Generator
from ganzfeld.recipes import Recipe, read_recipe
from ganzfeld.training.journal import read_journal


class Run:
    """A run folder, opened for reading; ``train`` returns one."""

    def __init__(self, path: Path) -> None:
        self.path = path.resolve()

    def __repr__(self) -> str:
        return f"Run({str(self.path)!r})"

    @property
    def recipe(self) -> Recipe:
        """The recipe it was trained by. Raises ``DamagedError`` if the file is not a recipe."""
        try:
            return read_recipe(self.path / "recipe.json")
        except UsageError as error:
            raise DamagedError(f"{self.path} has no readable recipe: {error.message}", error.hint) from None

    @property
    def facts(self) -> dict[str, Any]:
        """What ``run.json`` says: data, seed, device, precision, budget, versions."""
        try:
            facts = json.loads((self.path / "run.json").read_bytes())
        except (OSError, ValueError, RecursionError) as error:
            raise DamagedError(f"{self.path / 'run.json'} cannot be read: {error}") from None
        if not isinstance(facts, dict):
            raise DamagedError(f"{self.path / 'run.json'} must hold one JSON object")
        return facts

    @property
    def journal(self) -> list[dict[str, Any]]:
        """What was written down during training, oldest first."""
        return read_journal(self.path / "journal.jsonl")

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

    def sample(
        self, num: int | None = None, *, seeds: Sequence[int] | None = None, truncation: float = 1.0
    ) -> np.ndarray:
        """Pictures from the saved generator: uint8, (N, height, width, channels).

        ``num`` pictures of the seeds 0, 1, 2, ..., or one picture for each of ``seeds``; 16 by default. The
        same seed gives the same picture, whatever else is asked for. Raises ``UsageError`` for a negative
        number, for both or for seeds or a truncation out of range.
        """
        if num is not None and (seeds is not None or num < 0):
            raise UsageError("sample takes a number of pictures from 0 on, or seeds, not both")
        chosen = range(16 if num is None else num) if seeds is None else seeds
        return pictures_of_seeds(
            self.model.generator, chosen, prior=self.model.card.prior, truncation=truncation
        )


def open_run(path: str | Path) -> Run:
    """Open a run folder. Raises ``UsageError`` where there is none."""
    folder = Path(path)
    if not (folder / "recipe.json").is_file():
        find_weights(folder)
        raise UsageError(f"{path} is a model folder, not a run", "A run folder holds a recipe.json.")
    return Run(folder)


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
