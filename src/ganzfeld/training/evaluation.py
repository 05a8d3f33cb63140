"""Evaluate the generator of a finished or running run against its training images, or against others."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ganzfeld.data import ImageDataset, open_images
from ganzfeld.data.check.advice import advice_on_reading, notes_beside_advice
from ganzfeld.data.kinds import IMAGE
from ganzfeld.errors import DataError, GanzfeldError, ResourceError, UsageError
from ganzfeld.kinds import check_arguments
from ganzfeld.metrics import LEAST, Comparison, Measurement, Side, Space, measure, space
from ganzfeld.metrics.extraction import SLICE, features_of, real_features, some_of
from ganzfeld.metrics.held_out import held_out
from ganzfeld.metrics.intervals import Figure
from ganzfeld.metrics.measures import chosen, measures, with_meaning
from ganzfeld.metrics.measures.memorisation import HELD_OUT, suspects
from ganzfeld.metrics.measures.memorisation import NAMES as MEMORISATION
from ganzfeld.model import Model, images_of_seeds, labels_as_in_data
from ganzfeld.networks import Generator
from ganzfeld.options import PreparationOptions, changed, dashed
from ganzfeld.progress import CountCallback, counting
from ganzfeld.runs.opening import open_run
from ganzfeld.runs.run import Run
from ganzfeld.system import in_words, ran_out_of_memory
from ganzfeld.training.item_evaluation import evaluate_items

NUM = 1000
MOST = 2**20
MOST_SEED = 2**40
_READING_OPTIONS = ("channels", "background", "range", "alpha", "frames")
_HELD_OUT_HINT = "Give images from the same source as the training set that were not used for training."


@dataclass(frozen=True, slots=True)
class NotMeasured:
    """A metric that was requested and not measured: ``reason`` is an identifier, ``text`` explains it.

    ``place`` and ``apart`` are the figures that decided this, if there are any; see
    ``ganzfeld.metrics.held_out``.
    """

    name: str
    reason: str
    text: str
    place: Figure | None = None
    apart: Figure | None = None

    def as_json(self) -> dict[str, Any]:
        """Return it as plain data."""
        figures = {"place": self.place, "apart": self.apart}
        values = {
            name: {key: getattr(figure, key) for key in ("value", "low", "high")} if figure else None
            for name, figure in figures.items()
        }
        return {"name": self.name, "reason": self.reason, "text": self.text, **values}


@dataclass(frozen=True)
class Evaluation:
    """The evaluation of a run's model.

    ``suspects`` (rows * 6, height, width, C) are the generated images nearest to training images, each
    followed by its five nearest training images; None if memorisation was not measured. ``notes`` are
    caveats, and ``not_measured`` lists the requested metrics that are missing, and why.
    """

    images_seen: int
    measurements: tuple[Measurement, ...]
    suspects: np.ndarray | None
    notes: tuple[str, ...]
    not_measured: tuple[NotMeasured, ...] = ()

    def __getitem__(self, name: str) -> Measurement:
        """Return the measurement of that name. Raises ``KeyError`` if there is none."""
        return {measurement.figure.name: measurement for measurement in self.measurements}[name]


@in_words()
@check_arguments
def evaluate(
    run: str | Path | Run,
    data: str | Path | None = None,
    *,
    num: int = NUM,
    features: str | Path | None = None,
    only: Sequence[str] = (),
    seed: int = 0,
    progress: bool | CountCallback | None = True,
) -> Evaluation:
    """Measure ``num`` images of a run's generator against as many real images.

    A run on another kind of data has the metrics of its kind, each beside the baselines of its field.

    The real images are the training images, or those in ``data``, resized to the run's size. ``features`` is
    the name of a feature space or a file of weights. ``only`` names the metrics to measure, by default all.
    ``seed`` decides which images are used on both sides, and the random numbers of the metrics. ``progress``
    shows progress on stderr; False shows nothing, a function is called as ``progress(done, total, what)``.

    Raises ``UsageError`` for invalid arguments and for a run without a model, ``DataError`` for fewer than 50
    images or images of another kind than the run's, ``DamagedError`` for a damaged run or file of weights,
    and ``ResourceError`` if the feature space is not installed or memory runs out.

    >>> evaluate("runs/photos-001")["kernel_distance"].figure.value  # doctest: +SKIP
    """
    if not LEAST <= num <= MOST:
        raise UsageError(f"n must be from {LEAST} to {MOST:,}, not {num}", "1000 is usual.")
    if not 0 <= seed < MOST_SEED:
        raise UsageError(f"seed must be from 0 to {MOST_SEED - 1}, not {seed}")
    report = counting(progress)
    run = run if isinstance(run, Run) else open_run(run)
    if run.recipe.kind != IMAGE:
        if features is not None:
            raise UsageError("features are for images", f"Leave --features out for {run.recipe.kind}s.")
        measured = evaluate_items(run, data, num, list(only), seed, report)
        notes = (*_notes_on_similar_images(run), *measured.notes)
        return Evaluation(measured.images_seen, measured.measurements, None, notes)
    wanted = chosen(list(only))
    needs_features = any(measures.load(home).FEATURES for home in wanted.values())
    chosen_space = space(features) if needs_features or features else None
    space_sha256 = chosen_space.sha256 if chosen_space else None
    homes = set(with_meaning(wanted, space_sha256, asked_for=bool(only)).values())
    if data is None and only and set(wanted) == {HELD_OUT}:
        hint = "Give such images from the same source: ganzfeld eval RUN DATA."
        raise UsageError(f"{HELD_OUT} needs images that were held out of training", hint)
    work = _Work(run, num, seed, chosen_space, report)
    model, notes = run.model, _notes_on_similar_images(run)
    images = _open_real_images(run, data, report, needs_training_set="memorisation" in homes)
    notes += images.notes
    if images.reals.num_pictures < num:
        notes.append(
            f"{images.reals.place_of_all} has only {images.reals.num_pictures:,} images: all of them are used"
        )
    real, training, trained_on = work.real_sides(images)
    try:
        comparison = Comparison(work.generated_side(model), real, training, chosen_space, seed, trained_on)
        measurements = measure(comparison, list(only), work.progress)
        suspect_images = suspects(comparison) if "memorisation" in homes else None
    except (MemoryError, RuntimeError) as error:
        if not ran_out_of_memory(error):
            raise
        hint = "Give a smaller --n: memory grows as its square."
        raise ResourceError(f"memory ran out with {num:,} images on each side", hint) from error
    if images.problem:
        missing, held_out_notes = _memorisation_not_measured(run, images.problem, wanted), []
    else:
        missing, held_out_notes = _held_out_missing(comparison, wanted)
    notes += held_out_notes
    if missing and len(missing) == len(wanted):
        hint = _HELD_OUT_HINT if HELD_OUT in wanted else ""
        raise DataError(f"{missing[0].name} cannot be measured: {missing[0].text}", hint)
    return Evaluation(model.card.images_seen, tuple(measurements), suspect_images, tuple(notes), missing)


@dataclass(frozen=True)
class _RealImages:
    """The real images of an evaluation: ``reals``, and the training set if it is needed and usable.

    ``problem`` is the error of a training set that is needed and cannot be used.
    """

    reals: ImageDataset
    training_set: ImageDataset | None
    notes: list[str]
    problem: DataError | None = None


def _open_real_images(
    run: Run, data: str | Path | None, progress: CountCallback, *, needs_training_set: bool
) -> _RealImages:
    """Open ``data``, by default the training set, and with it the training set if that is needed."""
    if data is None:
        training_set = _open_training_set(run, progress)
        return _RealImages(training_set, training_set, _notes_on_changed_set(run, training_set))
    # The labels belong to the training images.
    options: dict[str, Any] = asdict(run.metadata.preparation) | {"labels": None}
    reals = open_images(data, run.recipe.size, **options, progress=progress)
    _require_fit(reals, run.metadata.channels)
    notes = _notes_on_reading(reals, run.metadata.preparation)
    if not needs_training_set:
        return _RealImages(reals, None, notes)
    try:
        training_set = _open_training_set(run, progress)
    except DataError as error:
        return _RealImages(reals, None, [*notes, f"memorisation not measured: {error.message}"], error)
    return _RealImages(reals, training_set, notes + _notes_on_changed_set(run, training_set))


@dataclass(frozen=True)
class _Work:
    """The parameters of an evaluation, with which both sides of the comparison are made."""

    run: Run
    num: int
    seed: int
    space: Space | None
    progress: CountCallback

    def real_sides(self, images: _RealImages) -> tuple[Side, Side | None, np.ndarray | None]:
        """Return the real side, that of the training set, and which real images are in the training set."""
        reals, training_set = images.reals, images.training_set
        real = self.real_side(reals)
        if training_set is None or training_set is reals:
            return real, None if training_set is None else real, None
        return real, self.real_side(training_set), self.in_training_set(reals, training_set)

    def some_of(self, dataset: ImageDataset) -> np.ndarray:
        """Return the indices of the images that are measured."""
        return some_of(dataset.num_pictures, self.num, self.seed)

    def in_training_set(self, reals: ImageDataset, training_set: ImageDataset) -> np.ndarray:
        """Return which of the measured images of ``reals`` are in the training set, pixel by pixel."""
        hashes, training_hashes = (
            np.ascontiguousarray(dataset.records["pixels"][dataset.records["row"] >= 0]).view("S32")[:, 0]
            for dataset in (reals, training_set)
        )
        return np.isin(hashes[self.some_of(reals)], training_hashes)

    def real_side(self, dataset: ImageDataset) -> Side:
        """Return the measured images of a dataset with their features."""
        indices = self.some_of(dataset)
        no_features = torch.empty(len(indices), 0)
        features = real_features(dataset, indices, self.space, self.progress) if self.space else no_features
        return Side(dataset.batch(indices), features)

    def generated_side(self, model: Model) -> Side:
        """Generate ``num`` images, from seeds starting at ``seed`` times 2^20, with their features."""
        card = model.card
        images = generated(
            model.generator, card.prior, card.images_by_class, self.num, self.seed, self.progress
        )
        no_features = torch.empty(self.num, 0)
        what = "measuring generated images"
        features = features_of(images, self.space, self.progress, what) if self.space else no_features
        return Side(images, features)


def generated(
    generator: Generator,
    prior: str,
    images_by_class: Sequence[int],
    num: int,
    seed: int,
    progress: CountCallback,
) -> np.ndarray:
    """Generate images (num, height, width, C) from the latent seeds that start at ``seed`` times 2^20.

    So different values of ``seed`` share no images. Classes, if any, are as frequent as in the data.
    """
    parts, first = [], seed * MOST
    for start in range(0, num, SLICE):
        progress(start, num, "making images")
        seeds = range(first + start, first + min(start + SLICE, num))
        labels = labels_as_in_data(seeds, images_by_class)
        parts.append(images_of_seeds(generator, seeds, prior=prior, labels=labels))
    progress(num, num, "making images")
    return np.concatenate(parts)


def _notes_on_similar_images(run: Run) -> list[str]:
    """Return a note if the doctor finds that all generated images are alike."""
    try:
        finding = run.diagnose().alike
    except GanzfeldError:  # a run that cannot be diagnosed can still be measured
        return []
    if not finding:
        return []
    return [f"the doctor finds {finding}: distances and precision can be good even if all images are alike"]


def _open_training_set(run: Run, progress: CountCallback) -> ImageDataset:
    """Open the images that a run was trained on. Raise ``DataError`` if they cannot be used."""
    metadata = run.metadata
    try:
        options = metadata.reading_options(by_class=False)
        dataset = open_images(metadata.data, run.recipe.size, **options, progress=progress)
    except DataError as error:
        hint = "If they were moved, name their new path: ganzfeld eval RUN DATA."
        raise DataError(error.message, f"{error.hint} {hint}".strip()) from None
    _require_fit(dataset, metadata.channels)
    return dataset


def _notes_on_changed_set(run: Run, dataset: ImageDataset) -> list[str]:
    """Return a note if the images at the path of the training set have changed since."""
    if dataset.content_hash == run.metadata.content_hash:
        return []
    return [f"the images in {dataset.place_of_all} are not those that the run was trained on"]


def _notes_on_reading(dataset: ImageDataset, preparation: PreparationOptions) -> list[str]:
    """Return notes on how other images are read: with the options of the run, which may not suit them."""
    warnings = advice_on_reading(dataset)
    advice = [warning.text for warning in warnings]
    notes = notes_beside_advice(dataset)
    options = _reading_options_as_typed(preparation)
    if options:
        notes.insert(0, f"{dataset.place_of_all} is read with the run's {options}")
    elif any(warning.name != "labels-rejected" for warning in warnings):  # which no option could change
        notes.insert(0, f"{dataset.place_of_all} is read as the run's images were: with the default options")
    return notes + advice


def _reading_options_as_typed(preparation: PreparationOptions) -> str:
    """Return the options that decide how images are read and are not the default, as typed."""
    values = changed(preparation)
    return " ".join(f"--{dashed(name)} {values[name]}" for name in _READING_OPTIONS if name in values)


def _memorisation_not_measured(
    run: Run, problem: DataError, wanted: Mapping[str, str]
) -> tuple[NotMeasured, ...]:
    """Return the requested metrics of memorisation as not measured, for lack of a usable training set."""
    data = run.metadata.data
    if isinstance(problem, _TooFewError):
        reason, text = "training-set-too-few", f"the training set is too small: {problem.message}"
    elif data is not None and not Path(data).exists():
        reason, text = "training-set-gone", "the training images are not at their path any more"
    else:
        reason, text = "training-set-unusable", f"the training set cannot be used: {problem.message}"
    return tuple(NotMeasured(name, reason, text) for name in MEMORISATION if name in wanted)


def _held_out_missing(
    comparison: Comparison, wanted: Mapping[str, str]
) -> tuple[tuple[NotMeasured, ...], list[str]]:
    """Return the metric of held-out images if it cannot be measured, and notes on it."""
    if HELD_OUT not in wanted or not comparison.has_others:
        return (), []
    others = held_out(comparison)
    if others.reason:
        missing = NotMeasured(HELD_OUT, others.reason, others.text, others.place, others.apart)
        return (missing,), [f"{HELD_OUT} not measured: {others.text}"]
    return (), [f"{HELD_OUT}: {note}" for note in others.notes]


class _TooFewError(DataError):
    """There are fewer images than an evaluation needs."""


def _require_fit(dataset: ImageDataset, channels: int) -> None:
    """Raise ``DataError`` for images that are too few, or of another kind than the run's."""
    place, kinds = dataset.place_of_all, {1: "grey", 3: "colour"}
    if dataset.num_pictures < LEAST:
        frames = [advice.text for advice in advice_on_reading(dataset) if advice.name == "unread-frames"]
        frames = [f"Images are read with the options of the run: {text}" for text in frames]
        raise _TooFewError(
            f"{place} has {dataset.num_pictures} images, and an evaluation needs {LEAST}",
            " ".join(["Fewer say nothing about a generator; 1,000 are usual.", *frames]),
        )
    if dataset.channels != channels:
        raise DataError(
            f"{place} holds {kinds[dataset.channels]} images, and the run makes {kinds[channels]} ones",
            "Distances between the two would measure the colour alone. Give images of the run's kind.",
        )
