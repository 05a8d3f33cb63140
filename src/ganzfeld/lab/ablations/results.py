"""One run of a cell: train, measure the kernel distance at the end, and keep the result in a small file.

    FOLDER/<cell>-<images>-seed<N>.json

A result holds everything that it depends on, so that files can be copied between machines and into one
folder. One process makes one run, with one thread and in float32, so that two machines differ by rounding
alone.
"""

import hashlib
import json
import os
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from pydantic import ValidationError

from ganzfeld.compute.engine import choose_engine, computing_with
from ganzfeld.data import open_images
from ganzfeld.durable import make_folder, write_json
from ganzfeld.errors import UsageError
from ganzfeld.lab.ablations.cells import BY_KEY, Cell, Conditions
from ganzfeld.lab.ablations.changes import changed_networks
from ganzfeld.lab.ablations.mixed import MixedTrainer
from ganzfeld.metrics import Space, real_features, space
from ganzfeld.metrics.extraction import features_of, some_of
from ganzfeld.metrics.measures.kernel_distance import estimate
from ganzfeld.metrics.spaces import usual_name
from ganzfeld.progress import silent
from ganzfeld.record import Count, Record
from ganzfeld.runs.metadata import circumstances
from ganzfeld.runs.schedule import Horizon
from ganzfeld.strict_json import strict_json
from ganzfeld.training.build import start
from ganzfeld.training.evaluation import generated
from ganzfeld.training.trainer import Trainer

FORMAT = 1
"""Goes up when a run would have other numbers, so that older results are made again."""

CHECK_EVERY = 50
"""Number of steps between two checks of ``keep_going`` and of finite numbers."""


class Result(Record):
    """The result of a run. ``error`` is the standard error of the distance over images, not over runs.

    ``stopped_at`` is the number of images seen at which a number was not finite, None if all were finite. The
    weights do not change any more from there on, and the distance is that of this generator.
    """

    cell: str
    seed: Count
    images: Count
    identity: str
    kernel_distance: float
    error: float
    features: str
    features_sha256: str
    num_measured: Count
    seconds: float
    stopped_at: Count | None
    chip: str
    torch: str

    @property
    def path(self) -> str:
        """The name of its file."""
        return file_name(BY_KEY[self.cell], self.seed, self.images)


def file_name(cell: Cell, seed: int, images: int) -> str:
    """Return the name of the file of a result."""
    return f"{cell.key}-{images}-seed{seed}.json"


def identity_of(cell: Cell, conditions: Conditions) -> str:
    """Return a hash of all that a result depends on beside seed and machine, 16 hexadecimal digits."""
    recipe = cell.recipe.model_dump(mode="json", exclude={"name", "description", "notes"})
    identity = [FORMAT, recipe, cell.change, *vars(conditions).values()]
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:16]


def feature_space() -> Space:
    """Return the feature space of the distance: the one of runs, or random convolutions where there is none.

    Raises ``ResourceError`` if the space is not installed.
    """
    return space(usual_name() or "random-convolutions")


def trainer_of(cell: Cell, seed: int, data: str | None = None) -> Trainer:
    """Return the trainer of a run of a cell at its beginning; see ``Conditions.data``."""
    recipe, engine = cell.recipe, choose_engine("cpu", "float32")
    dataset = open_images(data, size=recipe.size, progress=silent)
    networks = changed_networks(recipe, cell.change, dataset.channels, seed)
    trainer = start(recipe, dataset, engine, seed, networks=networks)
    return MixedTrainer.of(trainer) if cell.change == "mixed-batches" else trainer


def make(
    cell: Cell, seed: int, conditions: Conditions, keep_going: Callable[[], bool] = lambda: True
) -> Result | None:
    """Train one run of a cell and measure it; None if ``keep_going`` returned false in between."""
    begun, chosen_space = time.perf_counter(), feature_space()
    with computing_with(1):
        trainer = trainer_of(cell, seed, conditions.data)
        trainer.set_horizons((Horizon(0, conditions.images),))
        stopped_at = None
        num_steps = max(1, round(conditions.images / cell.recipe.batch))
        for index in range(1, num_steps + 1):
            finite = trainer.advance().all_finite
            if index % CHECK_EVERY and index < num_steps:
                continue
            if not keep_going():
                return None
            if not bool(finite):
                stopped_at = trainer.images_seen
                break
        value, error = _distance(trainer, chosen_space, conditions.num_measured)
    here = circumstances(trainer.engine, 1, 1)
    return Result(
        cell=cell.key,
        seed=seed,
        images=conditions.images,
        identity=identity_of(cell, conditions),
        kernel_distance=value,
        error=error,
        features=chosen_space.name,
        features_sha256=chosen_space.sha256,
        num_measured=conditions.num_measured,
        seconds=round(time.perf_counter() - begun, 1),
        stopped_at=stopped_at,
        chip=here.chip,
        torch=here.torch,
    )


def _distance(trainer: Trainer, chosen_space: Space, num: int) -> tuple[float, float]:
    """Return the kernel distance of the averaged generator, with its standard error over images."""
    dataset, prior = trainer.dataset, trainer.recipe.latent.prior
    indices = some_of(dataset.num_pictures, num)
    real = real_features(dataset, indices, chosen_space)
    images: np.ndarray = generated(trainer.shipped(), prior, [], num, 0, silent)
    return estimate(features_of(images, chosen_space), real)


def write(result: Result, folder: Path) -> None:
    """Write the file of a result. Raises ``ResourceError`` if the folder cannot be written."""
    make_folder(folder)
    write_json(folder / result.path, result.model_dump(mode="json"))


def read(folder: Path, cell: Cell, seed: int, conditions: Conditions) -> Result | None:
    """Return a result from its file; None if there is none, or it is damaged or of other settings."""
    try:
        fields = strict_json((folder / file_name(cell, seed, conditions.images)).read_bytes())
        result = Result.model_validate(fields)
    except (OSError, ValueError, ValidationError):
        return None
    own = (cell.key, seed, conditions.images, identity_of(cell, conditions))
    return result if (result.cell, result.seed, result.images, result.identity) == own else None


def read_all(folder: Path, conditions: Conditions) -> list[Result]:
    """Return all results of runs under these conditions that a folder holds, of all cells and seeds.

    Raises ``UsageError`` if they were measured in several feature spaces, whose distances are unrelated.
    """
    name = re.compile(rf"(.+)-{conditions.images}-seed(\d+)\.json", re.ASCII)
    matches = [match for path in sorted(folder.glob("*.json")) if (match := name.fullmatch(path.name))]
    known = [(BY_KEY[match[1]], int(match[2])) for match in matches if match[1] in BY_KEY]
    results = [result for cell, seed in known if (result := read(folder, cell, seed, conditions))]
    return one_space(results, folder)


def one_space(results: list[Result], folder: Path) -> list[Result]:
    """Return the results as they are. Raises ``UsageError`` if they are of several feature spaces."""
    if len({result.features_sha256 for result in results}) > 1:
        names = " and ".join(sorted({result.features for result in results}))
        raise UsageError(
            f"{folder} holds results in several feature spaces ({names}), whose distances are unrelated",
            "Keep the results of one space in folders of their own: --results FOLDER --docs FOLDER.",
        )
    return results


def main(arguments: list[str]) -> int:
    """Make one run in this process: cell, seed, images, folder, number of the process that started it, and
    perhaps data. It ends early if that process has ended, also one that ended before this was called.
    """
    key, seed, images, folder, parent, *data = arguments
    conditions = Conditions(int(images), data[0] if data else None)
    # On Windows the python of a virtual environment is a launcher, which is then the parent of this process.
    expected = os.getppid() if sys.platform == "win32" else int(parent)
    result = make(BY_KEY[key], int(seed), conditions, lambda: os.getppid() == expected)
    if result is None:
        return 1
    write(result, Path(folder))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
