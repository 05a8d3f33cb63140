"""Anomalous images by what a generator leaves of them, compared with what it leaves of normal ones."""

import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from torch import Tensor

from ganzfeld.errors import DamagedError, DataError, GanzfeldWarning, UsageError
from ganzfeld.inside.anomaly.baselines import NAMES, Baseline, baselines_of
from ganzfeld.inside.anomaly.calibration import (
    Calibrated,
    rate_interval,
    require_normal,
    require_rate,
    threshold_of,
)
from ganzfeld.inside.anomaly.ranking import Ranking, difference, ranking
from ganzfeld.inside.anomaly.residual import Usual, fit_usual, heat_maps
from ganzfeld.inside.latent_model import Subject, latent_model
from ganzfeld.inversion import as_targets, require_method
from ganzfeld.inversion.encoder import Encoder, encoder_of
from ganzfeld.inversion.fit import Fit
from ganzfeld.inversion.invert import ADAM_STEPS, fitted_by
from ganzfeld.model import Model, as_bytes, images_of_latents, load_model
from ganzfeld.networks import Discriminator
from ganzfeld.networks.arguments import Labels, labels_of
from ganzfeld.progress import CountCallback, counting
from ganzfeld.runs import Run

STEPS = {"fast": 40, "best": ADAM_STEPS}
"""Steps of Adam by method: of many images, rather more are looked at than each of them longer."""
SLICE = 256
"""The number of images that are fitted and kept as numbers of four bytes at once."""
WITHOUT_DISCRIMINATOR = "the encoder uses averaged pixels alone"


@dataclass(frozen=True)
class Anomalies(Calibrated):
    """How far N images are from normal.

    - ``images`` and ``reconstructions``: uint8 (N, height, width, C);
    - ``maps`` float32 (N, height, width): 1 where an image is as usual, more where it is not;
    - ``scores`` (N,): standard deviations from normal; above ``threshold`` an image is flagged;
    - ``map_threshold``: the largest value of the map of a normal image exceeds it at the same ``rate``;
    - ``normal_scores``: those of the normal images, of which none was used for its own score;
    - ``truth`` int8 (N,): 1 for an anomalous image, 0 for a normal one, -1 where that is unknown;
    - ``baselines``: other methods on the same images, if they were asked for;
    - ``seconds``: the time taken, without the fit of the encoder, which is kept in the cache.
    """

    images: np.ndarray
    reconstructions: np.ndarray
    maps: np.ndarray
    map_threshold: float
    rate: float
    truth: np.ndarray
    baselines: tuple[Baseline, ...]
    method: str
    notes: tuple[str, ...]
    seconds: float

    @property
    def rate_interval(self) -> tuple[float, float]:
        """The 95 % interval of the true rate of false alarms: the number of normal images limits it."""
        return rate_interval(len(self.normal_scores), self.rate)

    @cached_property
    def ranking(self) -> Ranking | None:
        """How well the scores tell anomalous from normal images; None unless both are known."""
        return self.ranking_of(self.scores)

    def ranking_of(self, scores: np.ndarray) -> Ranking | None:
        """Return how well other scores (N,) tell anomalous from normal images; None unless both are known."""
        known = self.truth >= 0
        if len(set(self.truth[known].tolist())) < 2:
            return None
        return ranking(scores[known], self.truth[known] == 1)

    @property
    def sentence(self) -> str:
        """Say in words how many images are flagged, and how well that works as far as it is known."""
        low, high = self.rate_interval
        flagged = (
            f"{int(self.is_flagged.sum()):,} of {len(self.scores):,} images flagged; of normal ones it would"
            f" be {self.rate:.1%} (from {len(self.normal_scores):,} normal images: {low:.1%} to {high:.1%})"
        )
        if self.ranking is None:
            unknown = "without labels of both kinds it is unknown which method is right"
            return f"{flagged}; {unknown}" if self.baselines else flagged
        return f"{flagged}; AUROC {self.ranking.text}" + "".join(f"; {text}" for text in self._comparisons())

    @property
    def best_baseline(self) -> Baseline | None:
        """The baseline with the largest AUROC; None without one."""
        areas = {entry.name: self.ranking_of(entry.scores) for entry in self.baselines}
        ranked = [entry for entry in self.baselines if areas[entry.name] is not None]
        return max(ranked, key=lambda entry: getattr(areas[entry.name], "auroc", 0.0), default=None)

    def _comparisons(self) -> list[str]:
        """Return a clause that says which is better, the generator or the best baseline."""
        best = self.best_baseline
        if best is None:
            return []
        known = self.truth >= 0
        value, low, high = difference(best.scores[known], self.scores[known], self.truth[known] == 1)
        name = NAMES[best.name]
        if low > 0:
            return [f"a baseline wins: {name} is better by {value:.3f} ({low:.3f} to {high:.3f})"]
        if high < 0:
            return [f"better than the best baseline, {name}, by {-value:.3f} ({-high:.3f} to {-low:.3f})"]
        by = f"an AUROC {value:+.3f} ({low:+.3f} to {high:+.3f}) larger"
        return [f"not clearly different from the best baseline, {name}, which has {by}"]


def anomalies(
    run: Subject,
    images: Any,
    normal: Any,
    *,
    rate: float = 0.05,
    method: str = "fast",
    compare: bool = False,
    truth: Sequence[bool | None] | np.ndarray | None = None,
    of: Labels | None = None,
    progress: bool | CountCallback | None = True,
) -> Anomalies:
    """Score images by how far they are from ``normal`` ones, and flag those beyond a threshold.

    ``images`` and ``normal`` are uint8 (N, height, width, channels), or float tensors (N, channels, height,
    width) in [-1, 1]; the normal ones should not be those that the run was trained on. The threshold flags a
    normal image with probability ``rate``. ``method`` is "fast" or "best", as for ``run.invert``.
    ``compare`` adds the baselines. ``truth`` says of each image whether it is anomalous, None where that is
    unknown. ``of`` is the class of all images of a conditional run; without it the best is searched.

    Warns if there is no checkpoint with a discriminator. Raises ``DataError`` for fewer normal images than
    the rate needs and for images of another kind than the run's, and ``UsageError`` for an unknown method or
    class, a rate that is not above 0 and at most 0.5, and another number of truths than of images.
    """
    model, discriminator, notes = opened(run)
    for note in notes:
        warnings.warn(note, GanzfeldWarning, stacklevel=2)
    return detect(
        model,
        discriminator,
        (images, normal),
        Settings(rate, method, compare, of),
        truth=truth,
        notes=notes,
        progress=counting(progress),
    )


@dataclass(frozen=True)
class Settings:
    """The choices of a user; see ``anomalies``. Raises ``UsageError`` for an unknown method or rate."""

    rate: float = 0.05
    method: str = "fast"
    compare: bool = False
    of: Labels | None = None

    def __post_init__(self) -> None:
        require_rate(self.rate)
        require_method(self.method)


def opened(subject: Subject) -> tuple[Model, Discriminator | None, tuple[str, ...]]:
    """Return the model of a run or a folder, its discriminator or None, and notes that say why."""
    if isinstance(subject, Model):
        return subject, None, (f"a model has no discriminator: {WITHOUT_DISCRIMINATOR}",)
    run = subject if isinstance(subject, Run) else latent_model(subject).run
    if run is None:
        note = f"a model folder has no discriminator: {WITHOUT_DISCRIMINATOR}"
        return load_model(str(subject)), None, (note,)
    try:
        return run.model, run.discriminator, ()
    except DamagedError as error:
        return run.model, None, (f"{error.message}: {WITHOUT_DISCRIMINATOR}",)


def detect(
    model: Model,
    discriminator: Discriminator | None,
    images_and_normal: tuple[Any, Any],
    settings: Settings,
    *,
    truth: Sequence[bool | None] | np.ndarray | None = None,
    notes: Sequence[str] = (),
    progress: CountCallback,
) -> Anomalies:
    """Score images and flag some of them; see ``anomalies``."""
    generator = model.generator
    images, normal = (as_bytes(as_targets(part, generator)) for part in images_and_normal)
    require_normal(len(normal), settings.rate)
    known = truth_of(truth, len(images))
    label = None
    if settings.of is not None:
        model.card.require_classes(settings.of)
        label = labels_of(settings.of, 1, generator.class_names, generator.num_classes)
    reproduce = _Reproducer(model, encoder_of(model, discriminator, progress), discriminator, settings.method)
    begun = time.monotonic()
    of_normal = reproduce(normal, label, progress, "reproducing normal images")
    usual, normal_ratios, normal_scores = fit_usual(residuals_of(normal, of_normal))
    peaks = np.concatenate([heat_maps(part).max((1, 2)) for part in _slices(normal_ratios)])
    reconstructions = reproduce(images, label, progress, "reproducing images")
    scores, maps = scored(usual, images, reconstructions)
    baselines = baselines_of(images, normal, settings.rate) if settings.compare else ()
    return Anomalies(
        scores,
        normal_scores,
        threshold_of(normal_scores, settings.rate),
        images,
        reconstructions,
        maps,
        threshold_of(peaks, settings.rate),
        settings.rate,
        known,
        baselines,
        settings.method,
        (*notes, *note_on_same(images, normal)),
        time.monotonic() - begun,
    )


def truth_of(truth: Sequence[bool | None] | np.ndarray | None, num: int) -> np.ndarray:
    """Return 1, 0 or -1 for anomalous, normal or unknown images, int8 (num,).

    Raises ``UsageError`` for another number, and for anything but true, false and None.
    """
    if truth is None:
        return np.full(num, -1, np.int8)
    values = list(truth)
    if len(values) != num or any(value not in (True, False, None) for value in values):
        raise UsageError(
            f"truth has {len(values):,} values for {num:,} images, or others than true, false and None",
            "Give one per image: True for an anomalous one, False for a normal one, None if unknown.",
        )
    return np.array([-1 if value is None else int(value) for value in values], np.int8)


@dataclass(frozen=True)
class _Reproducer:
    """Reproduces images as well as a generator can."""

    model: Model
    encoder: Encoder
    discriminator: Discriminator | None
    method: str

    def __call__(
        self, images: np.ndarray, label: Tensor | None, progress: CountCallback, what: str
    ) -> np.ndarray:
        """Return what the generator makes of uint8 images (N, H, W, C), in the same form."""
        parts = []
        for first in range(0, len(images), SLICE):
            part = images[first : first + SLICE]

            def report(done: int, total: int, _: str, first: int = first, num: int = len(part)) -> None:
                progress(first + done * num // max(total, 1), len(images), what)

            fit = Fit.of(self.model, as_targets(part, self.model.generator))
            labels = None if label is None else label.expand(len(part))
            kept = fitted_by(
                self.method, fit, self.encoder, self.discriminator, labels, report, STEPS[self.method]
            )
            parts.append(images_of_latents(self.model.generator, kept.latents, kept.labels))
        return np.concatenate(parts)


def residuals_of(images: np.ndarray, reconstructions: np.ndarray) -> np.ndarray:
    """Return images minus their reconstructions in levels, float32 (N, H, W, C)."""
    return images.astype(np.float32) - reconstructions


def scored(usual: Usual, images: np.ndarray, reconstructions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the scores (N,) and the heat maps (N, H, W) of images (N, H, W, C)."""
    scores, maps = [], []
    for part, other in zip(_slices(images), _slices(reconstructions), strict=True):
        ratios = usual.ratios(residuals_of(part, other))
        scores.append(usual.scores(ratios))
        maps.append(heat_maps(ratios))
    return np.concatenate(scores), np.concatenate(maps)


def _slices(array: np.ndarray) -> list[np.ndarray]:
    return [array[first : first + SLICE] for first in range(0, len(array), SLICE)]


def note_on_same(images: np.ndarray, normal: np.ndarray) -> tuple[str, ...]:
    """Return a note if some of the images are among the normal ones, which hides what is unusual in them."""
    known = {image.tobytes() for image in normal}
    num_same = sum(image.tobytes() in known for image in images)
    if num_same == 0:
        return ()
    return (
        f"{num_same:,} of the images are among the normal ones, so their scores are lower than those of other"
        " images like them",
    )


def require_both_kinds(truth: np.ndarray, source: str) -> None:
    """Raise ``DataError`` unless some images are known to be anomalous and some to be normal."""
    for kind, name in ((1, "anomalous"), (0, "normal")):
        if not (truth == kind).any():
            raise DataError(
                f"{source} names no {name} image, so nothing can be compared",
                "Label images of both kinds, or leave the labels out.",
            )
