"""A finished or a running training in figures: its generator against its images, or against others."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ganzfeld.data import ImageDataset, open_images
from ganzfeld.data.check.advice import advice_on_reading
from ganzfeld.errors import DataError, GanzfeldError, ResourceError, UsageError
from ganzfeld.kinds import check_arguments
from ganzfeld.metrics import LEAST, Comparison, Measurement, Side, Space, measured, space
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
from ganzfeld.runs.run import Run, open_run
from ganzfeld.system import in_words, ran_out_of_memory

NUM = 1000
MOST = 2**20
MOST_SEED = 2**40
_OF_READING = ("channels", "background", "range", "alpha", "frames")
_OTHERS = "Give images of the source of the training set that were not trained on."


@dataclass(frozen=True, slots=True)
class NotMeasured:
    """A figure that was wanted and is not given: ``reason`` is fixed, ``text`` is for people.

    ``place`` and ``apart`` are what that was decided by, where there are figures; see
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
        told = {
            name: {each: getattr(figure, each) for each in ("value", "low", "high")} if figure else None
            for name, figure in figures.items()
        }
        return {"name": self.name, "reason": self.reason, "text": self.text, **told}


@dataclass(frozen=True)
class Evaluation:
    """What was measured of a run's model.

    ``suspects`` (rows * 6, height, width, C) are the generated images nearest to training images, each
    followed by its five nearest; None where memorisation was not measured. ``notes`` say what to mind,
    ``not_measured`` which of the figures wanted are missing, and why.
    """

    images_seen: int
    measurements: tuple[Measurement, ...]
    suspects: np.ndarray | None
    notes: tuple[str, ...]
    not_measured: tuple[NotMeasured, ...] = ()

    def __getitem__(self, name: str) -> Measurement:
        """The measurement of that name. Raises ``KeyError`` if it was not taken."""
        return {each.figure.name: each for each in self.measurements}[name]


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
    """Measure ``num`` images of a run's generator against as many real ones.

    The real ones are those it was trained on, or ``data``, brought to the run's size. ``features`` is the
    name of the feature space or a file of weights, ``only`` names the metrics wanted, by default all.
    ``seed`` decides which images are taken on both sides, and what the metrics draw. ``progress`` shows on
    stderr how far it is; False shows nothing, and a function is called as ``progress(done, total, what)``.

    Raises ``UsageError`` for arguments and where there is no model, ``DataError`` for images that are fewer
    than 50 or of another kind than the run's, ``DamagedError`` for a damaged run or file of weights,
    ``ResourceError`` where the feature space is not installed or memory runs out.

    >>> evaluate("runs/photos-001")["kernel_distance"].figure.value  # doctest: +SKIP
    """
    if not LEAST <= num <= MOST:
        raise UsageError(f"n must be from {LEAST} to {MOST:,}, not {num}", "1000 is usual.")
    if not 0 <= seed < MOST_SEED:
        raise UsageError(f"seed must be from 0 to {MOST_SEED - 1}, not {seed}")
    report, wanted = counting(progress), chosen(list(only))
    of_features = any(measures.load(home).FEATURES for home in wanted.values())
    chosen_space = space(features) if of_features or features else None
    space_sha256 = chosen_space.sha256 if chosen_space else None
    homes = set(with_meaning(wanted, space_sha256, asked_for=bool(only)).values())
    if data is None and only and set(wanted) == {HELD_OUT}:
        hint = "Give some of the same source: ganzfeld eval RUN DATA."
        raise UsageError(f"{HELD_OUT} needs images that were held out of the training", hint)
    run = run if isinstance(run, Run) else open_run(run)
    work = _Work(run, num, seed, chosen_space, report)
    model, notes = run.model, _of_images_alike(run)
    own = unusable = None
    if data is None:
        reals = own = _own(run, work.progress)
        notes += _of_another_set(run, own)
    else:
        # The labels are of the training images.
        options: dict[str, Any] = asdict(run.metadata.preparation) | {"labels": None}
        reals = open_images(data, run.recipe.size, **options, progress=work.progress)
        _require_fit(reals, run.metadata.channels)
        notes += _how_read(reals, run.metadata.preparation)
        if "memorisation" in homes:
            try:
                own = _own(run, work.progress)
                notes += _of_another_set(run, own)
            except DataError as error:
                unusable = error
                notes.append(f"memorisation not measured: {error.message}")
    if reals.num_pictures < num:
        notes.append(f"{reals.place_of_all} has only {reals.num_pictures:,} images: all of them count")
    real = work.side_of(reals)
    training = real if own is reals else work.side_of(own) if own else None
    trained_on = work.trained_on(reals, own) if own is not None and own is not reals else None
    try:
        comparison = Comparison(work.generated(model), real, training, chosen_space, seed, trained_on)
        found = measured(comparison, list(only), work.progress)
        sheet = suspects(comparison) if "memorisation" in homes else None
    except (MemoryError, RuntimeError) as error:
        if not ran_out_of_memory(error):
            raise
        hint = "Give a smaller --n: memory grows as its square."
        raise ResourceError(f"memory ran out with {num:,} images on each side", hint) from error
    if unusable:
        missing, of_held_out = _without_training_set(run, unusable, wanted), []
    else:
        missing, of_held_out = _held_out_missing(comparison, wanted)
    notes += of_held_out
    if missing and len(missing) == len(wanted):
        hint = _OTHERS if HELD_OUT in wanted else ""
        raise DataError(f"{missing[0].name} cannot be measured: {missing[0].text}", hint)
    return Evaluation(model.card.images_seen, tuple(found), sheet, tuple(notes), missing)


@dataclass(frozen=True)
class _Work:
    """How both sides are made."""

    run: Run
    num: int
    seed: int
    space: Space | None
    progress: CountCallback

    def some_of(self, dataset: ImageDataset) -> np.ndarray:
        """The indices of the images that are looked at."""
        return some_of(dataset.num_pictures, self.num, self.seed)

    def trained_on(self, reals: ImageDataset, own: ImageDataset) -> np.ndarray:
        """Which of the images of ``reals`` that are looked at are in the training set, pixel by pixel."""
        theirs, ours = (
            np.ascontiguousarray(each.records["pixels"][each.records["row"] >= 0]).view("S32")[:, 0]
            for each in (reals, own)
        )
        return np.isin(theirs[self.some_of(reals)], ours)

    def side_of(self, dataset: ImageDataset) -> Side:
        """Some images of a set."""
        indices = self.some_of(dataset)
        nothing = torch.empty(len(indices), 0)
        found = real_features(dataset, indices, self.space, self.progress) if self.space else nothing
        return Side(dataset.batch(indices), found)

    def generated(self, model: Model) -> Side:
        """As many images of the model: those of seeds from ``seed`` times 2^20 on."""
        card = model.card
        dataset = generated(
            model.generator, card.prior, card.images_by_class, self.num, self.seed, self.progress
        )
        nothing = torch.empty(self.num, 0)
        what = "measuring generated images"
        found = features_of(dataset, self.space, self.progress, what) if self.space else nothing
        return Side(dataset, found)


def generated(
    generator: Generator,
    prior: str,
    images_by_class: Sequence[int],
    num: int,
    seed: int,
    progress: CountCallback,
) -> np.ndarray:
    """Images (num, height, width, C) of the seeds from ``seed`` times 2^20 on: every seed has its own.

    Classes, where there are some, come as often as in the data.
    """
    parts, first = [], seed * MOST
    for start in range(0, num, SLICE):
        progress(start, num, "making images")
        seeds = range(first + start, first + min(start + SLICE, num))
        labels = labels_as_in_data(seeds, images_by_class)
        parts.append(images_of_seeds(generator, seeds, prior=prior, labels=labels))
    progress(num, num, "making images")
    return np.concatenate(parts)


def _of_images_alike(run: Run) -> list[str]:
    """What to mind where the doctor says that all images are alike."""
    try:
        alike = run.diagnose().alike
    except GanzfeldError:  # what cannot be diagnosed can be measured
        return []
    return [f"the doctor finds {alike}: distances and precision can be good of images all alike"] * bool(
        alike
    )


def _own(run: Run, progress: CountCallback) -> ImageDataset:
    """The images that a run was trained on."""
    metadata = run.metadata
    try:
        options = metadata.reading_options(by_class=False)
        dataset = open_images(metadata.data, run.recipe.size, **options, progress=progress)
    except DataError as error:
        hint = "If they are elsewhere now, say where: ganzfeld eval RUN DATA."
        raise DataError(error.message, f"{error.hint} {hint}".strip()) from None
    _require_fit(dataset, metadata.channels)
    return dataset


def _of_another_set(run: Run, dataset: ImageDataset) -> list[str]:
    """Return what to mind where the images at the place of the training set are others by now."""
    if dataset.content_hash == run.metadata.content_hash:
        return []
    return [f"the images in {dataset.place_of_all} are not those that the run was trained on"]


def _how_read(dataset: ImageDataset, preparation: PreparationOptions) -> list[str]:
    """What to mind about how other images were read: as those of the run, whose options may not suit them."""
    found = advice_on_reading(dataset)
    advice = [each.text for each in found]
    notes = [note for note in dataset.notes if not any(note in text for text in advice)]
    given = _options_of_reading(preparation)
    if given:
        notes.insert(0, f"{dataset.place_of_all} is read with the run's {given}")
    elif any(each.name != "labels-rejected" for each in found):  # no option would make them labels
        notes.insert(0, f"{dataset.place_of_all} is read as the run's images were: with the default options")
    return notes + advice


def _options_of_reading(preparation: PreparationOptions) -> str:
    """Return those options that decide how images are read and are not the default, as typed."""
    values = changed(preparation)
    return " ".join(f"--{dashed(name)} {values[name]}" for name in _OF_READING if name in values)


def _without_training_set(run: Run, problem: DataError, wanted: Mapping[str, str]) -> tuple[NotMeasured, ...]:
    """Return the figures of memorisation with why the training set cannot be used; none is given."""
    data = run.metadata.data
    if isinstance(problem, _TooFewError):
        reason, text = "training-set-too-few", f"the training set is too small: {problem.message}"
    elif data is not None and not Path(data).exists():
        reason, text = "training-set-gone", "the images of the training are not there any more"
    else:
        reason, text = "training-set-unusable", f"the training set cannot be used: {problem.message}"
    return tuple(NotMeasured(name, reason, text) for name in MEMORISATION if name in wanted)


def _held_out_missing(
    comparison: Comparison, wanted: Mapping[str, str]
) -> tuple[tuple[NotMeasured, ...], list[str]]:
    """Return whether the figure of held-out images is not given and why, and notes on what to mind."""
    if HELD_OUT not in wanted or not comparison.has_others:
        return (), []
    others = held_out(comparison)
    if others.reason:
        missing = NotMeasured(HELD_OUT, others.reason, others.text, others.place, others.apart)
        return (missing,), [f"{HELD_OUT} not measured: {others.text}"]
    return (), [f"{HELD_OUT}: {note}" for note in others.notes]


class _TooFewError(DataError):
    """Fewer images than an evaluation needs."""


def _require_fit(dataset: ImageDataset, channels: int) -> None:
    """Raise ``DataError`` for images that are too few, or of another kind than the run's."""
    place, kinds = dataset.place_of_all, {1: "grey", 3: "colour"}
    if dataset.num_pictures < LEAST:
        unread = [each.text for each in advice_on_reading(dataset) if each.name == "unread-frames"]
        as_then = [f"Images are read with the options of the run's training: {text}" for text in unread]
        raise _TooFewError(
            f"{place} has {dataset.num_pictures} images, and an evaluation needs {LEAST}",
            " ".join(["Fewer say nothing about a generator; 1,000 are usual.", *as_then]),
        )
    if dataset.channels != channels:
        raise DataError(
            f"{place} holds {kinds[dataset.channels]} images, and the run makes {kinds[channels]} ones",
            "Distances between the two would measure the colour alone. Give images of the run's kind.",
        )
