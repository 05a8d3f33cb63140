"""The runs of ``scaling_rule.py train``: at constant rates, with branches whose rates fall, kept in a folder.

Every row and every ``SAVED_EVERY`` steps are stored, so a run that was stopped resumes there, and a longer
one begins where a shorter one ended.
"""

import argparse
import copy
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from ganzfeld.data import ImageDataset
from ganzfeld.durable import make_folder, write_json
from ganzfeld.metrics import space
from ganzfeld.metrics.extraction import features_of, real_features, some_of
from ganzfeld.metrics.measures.kernel_distance import estimate
from ganzfeld.model import calibrate
from ganzfeld.networks import Generator
from ganzfeld.options import TrainOptions
from ganzfeld.progress import silent
from ganzfeld.recipes import resolve
from ganzfeld.runs.checkpoint import Checkpoint
from ganzfeld.runs.checkpoint_store import CheckpointStore
from ganzfeld.strict_json import strict_json
from ganzfeld.training.evaluation import generated
from ganzfeld.training.setup import resolve_options
from ganzfeld.training.snapshot import capture, restore
from ganzfeld.training.step import update_ema
from ganzfeld.training.trainer import Trainer

NUM_SAMPLES = 1000
AVERAGE_SHARE = 0.15
SAVED_EVERY = 1000
"""Steps between two checkpoints of a run of ``train``."""
CONTIGUOUS = torch.contiguous_format
LONG = "long."
"""Begins the names of the long average's tensors in a checkpoint."""
ROUTE = "channels-last,one-pass,shared-backward,shared-penalties,traced"


@dataclass
class _Average:
    """The average over a share of the steps so far: its decay grows with them (Karras et al. 2024)."""

    generator: Generator

    def update(self, trainer: Trainer) -> None:
        step = trainer.index
        decay = min(1 - 1 / max(AVERAGE_SHARE * step, 1), step / (step + 1))
        update_ema(self.generator, trainer.gan.generator, decay)


class _Kept:
    """A run in its folder: its rows, and checkpoints that hold the long average, too."""

    def __init__(self, trainer: Trainer, folder: Path) -> None:
        self.trainer, self.average = trainer, _Average(copy.deepcopy(trainer.gan.generator_ema))
        make_folder(folder)
        self._file, self._store = folder / "rows.json", CheckpointStore(folder / "checkpoints")
        self.rows: dict[str, tuple[int, float]] = (
            strict_json(self._file.read_bytes()) if self._file.exists() else {}
        )

    def advance(self) -> None:
        """Make a step."""
        self.trainer.advance()
        self.average.update(self.trainer)

    def advance_to(self, mark: int) -> None:
        """Go on, from the newest checkpoint that is not beyond ``mark`` images, and save there."""
        later = [images for images in self._store.all() if self.trainer.images_seen < images <= mark]
        if later:
            self.restore(self._store.read(later[-1]))
        while self.trainer.images_seen < mark:
            self.advance()
            if self.trainer.index % SAVED_EVERY == 0 or self.trainer.images_seen >= mark:
                self._store.write(self.capture())

    def fall(self, length: int) -> None:
        """Let the rates fall to zero over ``length`` images."""
        begun = self.trainer.images_seen
        while (seen := self.trainer.images_seen - begun) < length:
            self.trainer.rate_scale = max(0.01, 1 - seen / length)
            self.advance()

    def capture(self) -> Checkpoint:
        """Copy the state, the long average included."""
        state, average = capture(self.trainer, 0.0), self.average.generator.state_dict()
        long = {LONG + name: tensor.clone(memory_format=CONTIGUOUS) for name, tensor in average.items()}
        return replace(state, tensors=state.tensors | long)

    def restore(self, state: Checkpoint) -> None:
        """Return to a captured state."""
        is_long = {name: name.startswith(LONG) for name in state.tensors}
        own = {name: tensor for name, tensor in state.tensors.items() if not is_long[name]}
        long = {name[len(LONG) :]: state.tensors[name] for name in is_long if is_long[name]}
        restore(self.trainer, replace(state, tensors=own))
        self.average.generator.load_state_dict(long)

    def measure(self, name: str) -> None:
        """Measure the distance of the long average, and keep it as a row."""
        self.rows[name] = self.trainer.images_seen, _distance(self.average.generator, self.trainer)
        write_json(self._file, self.rows)


def name_of(data: Path | None) -> str:
    """Return the name of a dataset for people; without one, of the built-in faces."""
    return data.name.split(".")[0] if data else "faces"


def rows_of(options: argparse.Namespace, seed: int) -> Iterator[str]:
    """Yield the rows of a run with a seed; what is kept of it is not trained again."""
    batch, changes = (
        options.batch,
        [*options.settings, *([f"on {name_of(options.data)}"] if options.data else [])],
    )
    recipe = resolve(resolve("modern", {"batch": batch}), options.settings)
    run_options = TrainOptions(recipe=recipe, images=options.images, seed=seed, route=ROUTE)
    trainer = resolve_options(run_options).build(options.data)
    key = hashlib.sha256((trainer.dataset.content_hash + recipe.model_dump_json()).encode()).hexdigest()[:12]
    run = _Kept(trainer, options.keep / f"batch{batch}-seed{seed}-{key}")
    for part in (4, 2, 1):
        mark = -(-options.images // (part * batch)) * batch
        for kind in ("constant", "falling"):
            if (name := f"{mark} {kind}") not in run.rows:
                run.advance_to(mark)
                before = run.capture()
                if kind == "falling":
                    run.fall(mark // 4)
                run.measure(name)
                run.restore(before)
            images, distance = run.rows[name]
            yield f"| {images:,} | {batch} | {' '.join(changes)} | {seed} | {kind} | {distance:.3f} |"


def _distance(average: Generator, trainer: Trainer) -> float:
    prior = trainer.recipe.latent.prior
    shipped = calibrate(average, prior, trainer.images_by_class)
    images = generated(shipped, prior, trainer.images_by_class, NUM_SAMPLES, 0, silent)
    return estimate(features_of(images, space(None), silent), _real(trainer.dataset))[0]


def _real(dataset: ImageDataset) -> torch.Tensor:
    return real_features(dataset, some_of(dataset.num_pictures, NUM_SAMPLES), space(None), silent)
