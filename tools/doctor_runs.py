"""Train short runs for the doctor's limits and for its suite: healthy runs, and runs with a planted fault.

A run uses the real trainer (``ganzfeld.training.trainer``) for a fixed number of steps and has ``NUM_LOOKS``
entries in its journal. The journal is stored in a file whose name is a hash of everything that determines it,
so finished runs are read again, and an interrupted tool continues where it stopped. The images of every look
are stored beside it, so that whatever is computed from images can be computed anew without training.
"""

import copy
import hashlib
import inspect
import json
import math
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"  # before torch is imported, here and in the processes

import numpy as np
import torch
from doctor_archive import ARCHIVE, unpack

from ganzfeld.compute.batch_loader import gathering
from ganzfeld.compute.engine import choose_engine
from ganzfeld.compute.fast_path import USUAL
from ganzfeld.data import ImageDataset, open_images
from ganzfeld.durable import make_folder, write_json
from ganzfeld.health import RunEvidence
from ganzfeld.health.derived import BY_FEATURES
from ganzfeld.latent import latents_of_seeds
from ganzfeld.metrics import LEAST, Comparison, Side, quality_scale, space
from ganzfeld.metrics.comparison import distances
from ganzfeld.metrics.extraction import features_of, real_features, some_of
from ganzfeld.metrics.measures.density_coverage import density_coverage
from ganzfeld.metrics.measures.kernel_distance import estimate, kernel_distance
from ganzfeld.metrics.measures.sliced_wasserstein import DIRECTIONS, distances_of_lines
from ganzfeld.metrics.measures.spectrum_distance import profiles, spectrum_distance
from ganzfeld.metrics.spaces import random_convolutions
from ganzfeld.model import calibrate, labels_as_in_data
from ganzfeld.recipes import resolve
from ganzfeld.recipes.schema import Schedule
from ganzfeld.runs.schedule import Horizon, progress_of, rate_factor
from ganzfeld.training.build import start
from ganzfeld.training.callbacks import Pace
from ganzfeld.training.evaluation import generated
from ganzfeld.training.monitors.health import NUM_IMAGES, HealthMonitor
from ganzfeld.training.monitors.quality import NUM_REALS, neighbourhoods
from ganzfeld.training.monitors.scale import reals_of, share_of_way, worst_distance
from ganzfeld.training.trainer import Trainer, scalars_of

VERSION = 2
"""The version of the runs; a new one trains all of them again."""

FASHION = "/usr/share/datasets/fashion-mnist/train-images-idx3-ubyte.gz"
DATA: dict[str, str | None] = {"faces": None, "fashion": FASHION}
BY_CLASS: dict[str, str | None] = {"fashion by class": FASHION}
"""Datasets that are trained on by class, for the readings that need classes."""

NUM_LOOKS = 40
JUDGED_EVERY = 5
"""Checks between two quality measurements, in a run with ``judged``."""
NUM_COMPARED = 256
LATE = 0.6
"""The share of a run after which a late fault begins."""
FIRST_SEED = 1000
"""The first seed of the images that are compared; the seeds of the readings begin at 0."""
NUM_STORED = 256
"""Images of each look that are stored, from seed 0 on, in classes as in the data."""

SMALL = {"size": 32, "generator.width": 8, "discriminator.width": 8, "latent.size": 32}
BATCHES = {"modern": 16, "radford2015": 32, "seed": 32}
NUM_STEPS = {"modern": 1000, "radford2015": 2000, "seed": 2000}
"""The steps of a small run, by recipe: enough for its images to become varied."""
LONG_ON = {"faces": {"radford2015": 6000, "seed": 6000}}
"""Where they are not: small runs of these recipes on these datasets show alike images for the first 1,000 to
3,000 steps, and end well from about 4,000 on."""


def usual_steps(recipe: str, data: str) -> int:
    """Return the steps of a small run."""
    return LONG_ON.get(data, {}).get(recipe, NUM_STEPS[recipe])


@dataclass(frozen=True)
class Setup:
    """What all runs share: datasets, the settings of small runs, and the number of checks.

    - ``datasets``: the place of every dataset by name; None is the built-in faces.
    - ``by_class``: the datasets that are trained on by class.
    - ``small``: settings of the small networks; ``batches``: their batch by recipe.
    - ``num_looks``: checks of a run. ``num_compared``: images that a check compares.
    """

    datasets: Mapping[str, str | None] = field(default_factory=lambda: DATA | BY_CLASS)
    by_class: frozenset[str] = frozenset(BY_CLASS)
    small: dict[str, Any] = field(default_factory=lambda: SMALL)
    batches: Mapping[str, int] = field(default_factory=lambda: BATCHES)
    num_looks: int = NUM_LOOKS
    num_compared: int = NUM_COMPARED


@dataclass(frozen=True)
class Plan:
    """The plan of a run; ``fault`` is the name of a planted fault, empty for a healthy run.

    With ``judged`` quality is measured too, as in a real run, which takes longer. ``num_steps`` is by default
    that of ``usual_steps``; the number of checks does not depend on it. With ``size``, images have that size,
    and the networks and the batch are those of the recipe; with None all are small.
    """

    data: str
    recipe: str
    seed: int
    fault: str = ""
    judged: bool = False
    num_steps: int | None = None
    size: int | None = None
    setup: Setup = field(default_factory=Setup, compare=False, repr=False)

    @property
    def settings(self) -> dict[str, Any]:
        """Settings that override those of the recipe."""
        setup = self.setup
        return (
            setup.small | {"batch": setup.batches[self.recipe]} if self.size is None else {"size": self.size}
        )

    @property
    def steps(self) -> int:
        """Number of steps."""
        return self.num_steps or usual_steps(self.recipe, self.data)

    @property
    def is_longer(self) -> bool:
        """Whether the run makes more steps than a small run of its recipe."""
        return self.steps > usual_steps(self.recipe, self.data)

    @property
    def is_by_class(self) -> bool:
        """Whether the networks are trained by class."""
        return self.data in self.setup.by_class

    @property
    def name(self) -> str:
        """Name of the run for people."""
        length = f", {self.num_steps} steps" if self.num_steps else ""
        size = "" if self.size is None else f", its own networks at {self.size} px"
        return f"{self.fault or 'healthy'}, {self.recipe} on {self.data}, seed {self.seed}{length}{size}"

    @property
    def file(self) -> str:
        """Name of the run's file: a hash of everything that determines the run."""
        setup = self.setup
        made_by = [self.settings, self.steps, setup.num_looks, setup.num_compared, JUDGED_EVERY, VERSION]
        hashed_above = ("num_steps", "size", "setup")
        own = {name: value for name, value in asdict(self).items() if name not in hashed_above}
        parts = [own, *made_by, _fault_source(self.fault)]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:20] + ".json"


@dataclass(frozen=True)
class Fault:
    """A way to break a run, and the findings that are expected.

    ``settings`` override those of the recipe and ``times`` multiplies learning rates; ``plant`` changes the
    trainer before its first step; ``kept`` is the number of images that the dataset is reduced to. With
    ``by_class`` it is planted in runs by class.
    """

    what: str
    expected: tuple[str, ...]
    settings: dict[str, Any] = field(default_factory=dict)
    times: dict[str, float] = field(default_factory=dict)
    plant: Callable[[Trainer], None] | None = None
    kept: int | None = None
    by_class: bool = False


@dataclass(frozen=True)
class Journal:
    """The result of a run: entries as in a journal, with ``compared`` beside ``health``."""

    plan: Plan
    entries: list[dict[str, Any]]
    recipe: dict[str, Any]
    num_pictures: int
    seconds: float

    def case(self) -> RunEvidence:
        """Return the evidence for the doctor."""
        planned = (Horizon(0, self.plan.steps * self.recipe["batch"]),)
        schedule = Schedule.model_validate(self.recipe["schedule"])

        def rate_at(images_seen: int) -> float:
            return rate_factor(schedule, images_seen, progress_of(images_seen, planned))

        return RunEvidence(self.entries, self.recipe, self.num_pictures, rate_at=rate_at)


def _without_noise(trainer: Trainer) -> None:
    for network in (trainer.gan.generator, trainer.gan.generator_ema):
        network.projection.register_forward_pre_hook(lambda module, given: (torch.zeros_like(given[0]),))


def _one_kind(trainer: Trainer) -> None:
    """D is shown the fiftieth of the images nearest to one of them; readings and measures see them all."""
    dataset = trainer.dataset
    whole = dataset.batch(np.arange(dataset.num_pictures))
    small = np.stack([part.mean((1, 2)) for row in _quarters(whole, 1) for part in _quarters(row, 2)], 1)
    apart = np.abs(small - small[trainer.seed % len(small)]).reshape(len(small), -1).sum(1)
    nearest = np.sort(np.argsort(apart, kind="stable")[: len(small) // 50])
    trainer.dataset = _subset(dataset, nearest)
    trainer.gather = gathering(trainer.dataset, trainer.engine, trainer.ranks)


def _large_output(trainer: Trainer) -> None:
    for network in (trainer.gan.generator, trainer.gan.generator_ema):
        for weight in network.layers[-1].parameters():
            weight.data.mul_(50)


def _mixed_batches(trainer: Trainer) -> None:
    trainer.config = replace(trainer.config, per_sample=True, one_pass=True)


def _pretrained_discriminator(trainer: Trainer) -> None:
    before = copy.deepcopy(trainer.gan.generator.state_dict())
    other = start(trainer.recipe, trainer.dataset, trainer.engine, trainer.seed + 1)
    for _ in range(300):
        other.gan.generator.load_state_dict(before)
        other.advance()
    trainer.gan.discriminator.load_state_dict(other.gan.discriminator.state_dict())


def _plain_descent(trainer: Trainer) -> None:
    """Gradient descent with momentum in place of Adam; the learning rates are those of the recipe."""
    for side in ("generator", "discriminator"):
        network = getattr(trainer.gan, side)
        descent = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9, fused=True)
        setattr(trainer.gan, f"{side}_optimizer", descent)


def _dead_beginning(trainer: Trainer) -> None:
    """Before every hidden activation but the first a shift far below 0."""
    for network in (trainer.gan.generator, trainer.gan.generator_ema, trainer.gan.discriminator):
        parts = [network.projection, *network.layers] if hasattr(network, "projection") else network.layers
        biases = [
            parameter
            for part in list(parts)[1:-1]
            for name, parameter in part.named_parameters()
            if name.endswith("bias")
        ]
        for bias in biases:
            bias.data.fill_(-6.0)


def _loud_beginning(trainer: Trainer) -> None:
    for weight in trainer.gan.discriminator.logit.parameters():
        weight.data.mul_(300)


def _late_rates(trainer: Trainer) -> None:
    advance = trainer.advance

    def advance_too_far():
        if trainer.progress >= LATE:
            trainer.rate_scale = 30.0
        return advance()

    trainer.advance = advance_too_far


def _shuffled_labels(trainer: Trainer) -> None:
    assert trainer.classes is not None
    labels = np.random.default_rng(trainer.seed).permutation(trainer.classes.labels)
    trainer.classes = replace(trainer.classes, labels=labels)


FAULTS: dict[str, Fault] = {
    "lr of D x50": Fault(
        "the discriminator's learning rate 50 times the recipe's",
        ("discriminator-saturated", "diverging", "stalled", "dead-units"),
        times={"discriminator.optimizer.lr": 50},
    ),
    "lr of G x50": Fault(
        "the generator's learning rate 50 times the recipe's",
        ("diverging", "mode-collapse", "mode-hopping", "output-saturated", "dead-units"),
        times={"generator.optimizer.lr": 50},
    ),
    "exploding lr": Fault(
        "both learning rates 0.5",
        ("diverging",),
        settings={"generator.optimizer.lr": 0.5, "discriminator.optimizer.lr": 0.5},
    ),
    "no noise": Fault(
        "the generator's projection is given zeros", ("latent-ignored", "mode-collapse"), plant=_without_noise
    ),
    "one kind of image": Fault(
        "D is shown only the 2 % of images nearest to one image", ("mode-collapse",), plant=_one_kind
    ),
    "tiny D": Fault(
        "one channel in the discriminator's first layer, and a thirtieth of its learning rate",
        ("generator-too-strong", "stalled", "mode-collapse"),
        settings={"discriminator.width": 1},
        times={"discriminator.optimizer.lr": 1 / 30},
    ),
    "clip, large init": Fault(
        "output clip, and its layer's weights times 50 at the beginning",
        ("output-saturated",),
        settings={"generator.output": "clip"},
        plant=_large_output,
    ),
    "k3 s2": Fault(
        "the ladder 39, 19, 9, 4, whose kernels of 3 are not divided by their stride of 2",
        ("checkerboard", "uneven-ladder"),
        settings={"size": 39, "ladder": [39, 19, 9, 4]},
    ),
    "mixed batches": Fault(
        "batch norm in the discriminator, which sees real and generated images in one batch",
        ("batch-leak", "discriminator-saturated", "stalled"),
        settings={"discriminator.normalisation": "batch"},
        plant=_mixed_batches,
    ),
    "32 images": Fault("32 images", ("too-few-pictures", "memorisation"), kept=32),
    "minimax, trained D": Fault(
        "the minimax loss, and a discriminator trained for 300 steps against a generator that stood still",
        ("stalled", "discriminator-saturated"),
        settings={"loss.name": "minimax", "loss.smoothing": 0.0, "loss.smooth_sides": 1, "stabilisers": []},
        plant=_pretrained_discriminator,
    ),
    "descent, large steps": Fault(
        "gradient descent with momentum 0.9 and learning rates of 0.1 in place of Adam, without stabilisers",
        ("oscillation", "mode-hopping", "diverging", "mode-collapse", "discriminator-saturated"),
        settings={
            "generator.optimizer.lr": 0.1,
            "discriminator.optimizer.lr": 0.1,
            "stabilisers": [],
            "schedule.decay": "none",
        },
        plant=_plain_descent,
    ),
    "dead ReLU": Fault(
        "ReLU in both networks, and a shift of -6 before every hidden activation but the first",
        ("dead-units",),
        settings={
            "generator.activation": "relu",
            "discriminator.activation": "relu",
            "generator.bias": True,
            "discriminator.bias": True,
        },
        plant=_dead_beginning,
    ),
    "loud logits": Fault(
        "the discriminator's last layer times 300 at the beginning",
        ("discriminator-saturated", "diverging", "stalled"),
        plant=_loud_beginning,
    ),
    "G stands still": Fault(
        "a thousandth of the generator's learning rate",
        ("stalled", "discriminator-saturated", "mode-collapse"),
        times={"generator.optimizer.lr": 1e-3},
    ),
    "late, rates x30": Fault(
        "from three fifths of the run on, both learning rates are 30 times the recipe's",
        ("late-decay", "quality-lost", "diverging", "mode-hopping", "mode-collapse"),
        plant=_late_rates,
    ),
    "labels shuffled": Fault(
        "the labels of all images are shuffled, so that a class means nothing",
        ("class-ignored",),
        plant=_shuffled_labels,
        by_class=True,
    ),
}


class Quality:
    """The measurements of ``ganzfeld.training.monitors.quality``, for a run without a folder."""

    def __init__(self, dataset: ImageDataset) -> None:
        self.space = space()
        indices = some_of(dataset.num_pictures, NUM_REALS)
        self.real = Side(dataset.batch(indices), real_features(dataset, indices, self.space))

    def read(self, trainer: Trainer) -> dict[str, float]:
        """Measure kernel distance with its error, precision, recall, coverage and memorised."""
        prior = trainer.recipe.latent.prior
        images = generated(
            trainer.shipped(),
            prior,
            trainer.images_by_class,
            Pace.num_scored,
            0,
            lambda done, total, what: None,
        )
        side = Side(images, features_of(images, self.space))
        value, error = estimate(side.features, self.real.features)
        near = neighbourhoods(Comparison(side, self.real, self.real, self.space))
        return {"kernel_distance": value, "kernel_distance_error": error, **near}


def numbers_of(text: str) -> list[int]:
    """Return the numbers of ``100-107`` or ``3``."""
    first, _, last = text.partition("-")
    return list(range(int(first), int(last or first) + 1))


def train_all(plans: Sequence[Plan], folder: Path, processes: int, device: str = "cpu") -> Iterator[Journal]:
    """Yield the journals of all plans: finished runs first, then runs in the order in which they finish.

    All compute in float32; the device changes a run as much as another processor does.
    """
    make_folder(folder)
    unpack(ARCHIVE, folder, {Path(plan.file).stem for plan in plans})
    for place in {plan.setup.datasets[plan.data] for plan in plans}:  # decoded once, not in every process
        settings = [plan.settings | (FAULTS[plan.fault].settings if plan.fault else {}) for plan in plans]
        for size in {
            resolve("modern", {"size": fields["size"]} if "size" in fields else {}).size
            for fields in settings
        }:
            open_images(place, size=size)
    missing = []
    for plan in plans:
        if is_finished(plan, folder):
            yield read(plan, folder)
        else:
            missing.append(plan)
    print(f"{len(plans) - len(missing)} runs are finished, {len(missing)} to train", flush=True)
    with get_context("spawn").Pool(processes) as pool:
        for plan in pool.imap_unordered(Maker(folder, device), missing):
            journal = read(plan, folder)
            print(f"{journal.seconds:6.1f} s  {plan.name}", flush=True)
            yield journal


def stored_images(plan: Plan, folder: Path) -> np.ndarray:
    """Return the stored images (looks + 1, N, height, width, C), uint8; first those before training."""
    with np.load((folder / plan.file).with_suffix(".npz")) as file:
        return file["images"]


def read(plan: Plan, folder: Path) -> Journal:
    """Read the journal of a finished run, with the parts of the quality as its images have them now."""
    content = json.loads((folder / plan.file).read_bytes())
    entries = content["entries"]
    for entry, parts in zip(entries, _quality(plan, folder, entries), strict=True):
        entry["health"] |= parts
    return Journal(plan, entries, content["recipe"], content["num_pictures"], content["seconds"])


def is_finished(plan: Plan, folder: Path) -> bool:
    """Check whether a run needs no training: its quality, as it is computed now, or its images are known."""
    file = folder / plan.file
    has_quality = _quality_file(plan, folder).is_file() or file.with_suffix(".npz").is_file()
    return file.is_file() and has_quality


def _quality_file(plan: Plan, folder: Path) -> Path:
    source = inspect.getsource(quality_scale) + inspect.getsource(random_convolutions)
    version = hashlib.sha256(source.encode()).hexdigest()[:12]
    return (folder / plan.file).with_suffix(f".{version}.quality")


def _quality(plan: Plan, folder: Path, entries: Sequence[Mapping[str, Any]]) -> list[dict[str, float]]:
    """Return the parts of the quality of a run at every look, computed once from its stored images."""
    file = _quality_file(plan, folder)
    if file.is_file():
        return json.loads(file.read_bytes())
    images = stored_images(plan, folder)
    whole = open_images(plan.setup.datasets[plan.data], size=images.shape[3:1:-1])
    reals, others = reals_of(whole, NUM_IMAGES)
    scale = quality_scale.QualityScale(reals, others, images[0][:NUM_IMAGES])
    parts = [scale.scores(of_look[:NUM_IMAGES]) for of_look in images[1:]]
    if any("kernel_distance" in entry["health"] for entry in entries):
        worst = worst_distance(images[0][:NUM_IMAGES], Quality(whole).real, space())
        for entry, of_look in zip(entries, parts, strict=True):
            if (distance := entry["health"].get("kernel_distance")) is not None:
                of_look[BY_FEATURES] = share_of_way(distance, worst)
    write_json(file, parts)
    return parts


@dataclass(frozen=True)
class Maker:
    """Trains a run and stores its journal and images in a folder."""

    folder: Path
    device: str = "cpu"

    def __call__(self, plan: Plan) -> Plan:
        """Train as planned; return the plan."""
        torch.set_num_threads(1)
        journal, images = train_one(plan, self.device)
        file = self.folder / plan.file
        part = file.with_suffix(f".{os.getpid()}.npz")
        np.savez_compressed(part, images=images)
        part.replace(file.with_suffix(".npz"))
        stored = {name: value for name, value in vars(journal).items() if name != "plan"}
        write_json(file, {"name": plan.name, **stored})
        return plan


def train_one(plan: Plan, device: str = "cpu") -> tuple[Journal, np.ndarray]:
    """Train as planned; return the journal, and images (looks + 1, N, height, width, C) of the run.

    The first images are those before training. A run whose numbers are no longer finite ends after the entry
    that shows it.
    """
    begun = time.perf_counter()
    torch.set_flush_denormal(True)
    fault = FAULTS[plan.fault] if plan.fault else Fault("", ())
    by_class = {"classes": "projection"} if plan.is_by_class else {}
    recipe = resolve(plan.recipe, plan.settings | by_class | fault.settings)
    for path, factor in fault.times.items():
        side = path.split(".")[0]
        recipe = resolve(recipe, {path: min(1.0, getattr(recipe, side).optimizer.lr * factor)})
    whole = open_images(plan.setup.datasets[plan.data], size=recipe.size)
    dataset = whole if fault.kept is None else _subset(whole, np.arange(fault.kept))
    trainer = start(recipe, dataset, choose_engine(device, "float32"), plan.seed)
    # On a GPU what is planted may not be what was recorded; on a CPU nothing is recorded.
    trainer.take(USUAL.model_copy(update={"recorded": fault.plant is None}))
    trainer.horizons = (Horizon(0, plan.steps * recipe.batch),)
    health_monitor = HealthMonitor(trainer)
    if fault.plant:
        fault.plant(trainer)
    num_looks, judge = plan.setup.num_looks, Judge(whole, plan.setup.num_compared)
    # As in a real run, there is no quality measurement on too few images.
    quality = Quality(dataset) if plan.judged and dataset.num_pictures >= LEAST else None
    looks = {math.ceil(plan.steps * look / num_looks) for look in range(1, num_looks + 1)}
    entries, images = [], [_images(trainer)]
    while trainer.index < plan.steps:
        outcome = trainer.advance()
        health_monitor.note(outcome)
        if trainer.index in looks:
            scalars = scalars_of(outcome)
            entry = {"step": trainer.index, "images_seen": trainer.images_seen, **scalars.values}
            entry["health"] = health_monitor.take_readings(float(trainer.index), everything=True)
            of_look = _images(trainer, plan.setup.num_compared)
            entry["compared"] = judge.compare(of_look[NUM_STORED:])
            if quality and (len(entries) + 1) % JUDGED_EVERY == 0:
                entry["health"] |= quality.read(trainer)
            entries.append(_finite(entry))
            images.append(of_look[:NUM_STORED])
            if not scalars.all_finite:
                break
    fields = recipe.model_dump(mode="json")
    journal = Journal(plan, entries, fields, dataset.num_pictures, time.perf_counter() - begun)
    return journal, np.stack(images)


@torch.no_grad()
def _images(trainer: Trainer, num_compared: int = 0) -> np.ndarray:
    """Return images (N, height, width, C), uint8, of the averaged weights: those to store, then to compare.

    Their classes are as in the data.
    """
    seeds = [*range(NUM_STORED), *range(FIRST_SEED, FIRST_SEED + num_compared)]
    latent = trainer.recipe.latent
    labels = labels_as_in_data(seeds, trainer.images_by_class)
    model = calibrate(trainer.gan.generator_ema, latent.prior, trainer.images_by_class)
    device = trainer.engine.device
    images = model(
        latents_of_seeds(seeds, latent.size, latent.prior).to(device),
        None if labels is None else torch.tensor(labels, device=device),
    )
    images = torch.nan_to_num(images.cpu()).clamp(-1, 1)
    return ((images + 1) * 127.5).round().to(torch.uint8).movedim(1, -1).contiguous().numpy()


class Judge:
    """The distances of a run's images from the whole dataset, by measures that no detector uses.

    All compare ``num_compared`` images of the averaged weights with as many real ones, and higher is worse:
    ``pixels`` (sliced Wasserstein distance), ``spectrum`` (distance of the power by frequency), ``kernel``
    (kernel distance on random convolutions), ``missing`` (1 - coverage on these) and ``copied`` (the
    share of generated images nearer to a real image than 95 % of the real images are to another one).
    """

    def __init__(self, dataset: ImageDataset, num_compared: int) -> None:
        self.num_compared = num_compared
        indices = np.linspace(0, dataset.num_pictures - 1, num_compared).astype(np.int64)
        self.real = dataset.batch(np.unique(indices))
        self.features = random_convolutions.features(self.real)
        self.among = distances(self.features, self.features).fill_diagonal_(torch.inf)
        self.profiles = profiles(self.real)
        noise = torch.Generator().manual_seed(0)
        size = math.prod(self.real.shape[1:])
        directions = torch.randn(size, DIRECTIONS, generator=noise)
        self.directions = directions / directions.norm(dim=0)
        self.projected = self._project(self.real)

    def compare(self, images: np.ndarray) -> dict[str, float]:
        """Return all measures of images (N, height, width, C), uint8."""
        features = random_convolutions.features(images)
        between = distances(features, self.features)
        nearest = torch.quantile(self.among.min(1).values, 0.05)
        return {
            "pixels": float(distances_of_lines(self._project(images), self.projected).mean()),
            "spectrum": spectrum_distance(profiles(images), self.profiles),
            "kernel": float(kernel_distance(features, self.features)),
            "missing": 1 - density_coverage(between, self.among)[1],
            "copied": float((between.min(1).values < nearest).double().mean()),
        }

    def _project(self, dataset: np.ndarray) -> torch.Tensor:
        return (torch.from_numpy(dataset).flatten(1).float() / 255 @ self.directions).double()


def _finite(value: Any) -> Any:
    """Replace numbers that are not finite by None, as the journal does."""
    if isinstance(value, dict):
        return {name: _finite(entry) for name, entry in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _quarters(dataset: np.ndarray, axis: int) -> Iterable[np.ndarray]:
    return np.array_split(dataset, 4, axis)


def _subset(dataset: ImageDataset, indices: np.ndarray) -> ImageDataset:
    """Return some of the images as a dataset of their own, stored as an array file."""
    name = hashlib.sha256((dataset.content_hash + str(indices.tolist())).encode()).hexdigest()[:16]
    folder = Path("runs") / "doctor" / "subsets"
    make_folder(folder)
    path = folder / f"{name}.npy"
    if not path.is_file():
        part = path.with_suffix(f".{os.getpid()}.npy")
        np.save(part, dataset.batch(indices))
        part.replace(path)
    return open_images(path, size=dataset.size)


def _fault_source(fault: str) -> str:
    """Return the definition of a fault as text, so that runs with a changed fault are trained again."""
    if not fault:
        return ""
    kind = FAULTS[fault]
    plant = inspect.getsource(kind.plant) if kind.plant else ""
    return json.dumps([kind.settings, kind.times, kind.kept, plant])
