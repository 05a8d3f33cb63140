"""The quality monitor: kernel distance and related metrics of the averaged generator, from time to time.

Rank 0 measures alone, between two steps and outside the training time, and changes nothing in the trainer:
all latents come from fixed seeds. The best model so far is kept in ``model/best/``. If quality cannot be
measured, a note says why and the run continues without.
"""

import math
import time
from collections.abc import Callable

import numpy as np

from ganzfeld.data.kinds import IMAGE
from ganzfeld.errors import DamagedError, ResourceError, UsageError
from ganzfeld.health.derived import BY_FEATURES
from ganzfeld.health.evidence import SPACE
from ganzfeld.metrics import Comparison, Side
from ganzfeld.metrics.extraction import SLICE, features_of, real_features, some_of
from ganzfeld.metrics.measures.density_coverage import density_coverage
from ganzfeld.metrics.measures.kernel_distance import estimate
from ganzfeld.metrics.measures.memorisation import memorised
from ganzfeld.metrics.measures.precision_recall import precision_recall
from ganzfeld.model import Card, load_model, save
from ganzfeld.networks import Generator
from ganzfeld.own_folder import LostFolder
from ganzfeld.progress import CountCallback, silent
from ganzfeld.runs.metadata import FinalScores, QualityScore
from ganzfeld.runs.report.quality_words import scoring_space
from ganzfeld.runs.run import Run
from ganzfeld.system import ran_out_of_memory
from ganzfeld.training.callbacks import TrainCallback
from ganzfeld.training.clock import Due
from ganzfeld.training.evaluation import generated
from ganzfeld.training.monitors.scale import share_of_way, untrained_generator, worst_distance
from ganzfeld.training.saver import Patience
from ganzfeld.training.trainer import Trainer

NUM_REALS = 1000
NUM_CALIBRATING = 512
"""Images generated to fix the statistics of the averaged generator."""

MEASURING = "measuring quality"

PATIENCE = 5
"""The number of scores without a better one after which a run is on a plateau."""


class QualityMonitor:
    """Measures the quality of the model during a run.

    Without ``wanted`` it never measures, as in a dry run. ``best`` is the best score so far, ``latest`` the
    last kernel distance. ``stop_reason`` is empty until ``--stop plateau`` ends the run.
    """

    def __init__(self, trainer: Trainer, run: Run, callback: TrainCallback, *, wanted: bool = True) -> None:
        metadata = run.metadata
        self._trainer, self._run, self._callback = trainer, run, callback
        self._pace = callback.pace
        self._space, why_not = None, ""
        if trainer.dataset.framing.kind != IMAGE:
            why_not = f"the kernel distance is for images, and these are {trainer.dataset.kind.WORD}s"
        elif wanted:
            self._space, why_not = scoring_space(trainer.dataset.num_pictures)
        if why_not:
            callback.noted(f"quality will not be measured: {why_not}")
        self._ends_on_a_plateau = metadata.stop == "plateau"
        self._real: Side | None = None
        self._worst = 0.0
        """The kernel distance from which the quality begins; 0 while it is not known."""
        self._due = Due(self._pace.score_every_s)
        self._since = self._spent_s = 0.0
        self._features_s = self._generation_s = 0.0
        """Seconds per image for computing its features, and for generating it."""
        self._readings: dict[str, float | str] = {}
        self._after_best: list[QualityScore] = []
        self._patience = Patience(callback.noted)
        self.best = metadata.best
        self.latest = metadata.best.kernel_distance if metadata.best else None
        self.stop_reason = ""

    def prepare(self, seconds: float, abandoned: Callable[[], bool]) -> None:
        """Compute the features of the real images, cached per dataset, and time a measurement.

        ``seconds`` is the training time so far; ``abandoned`` returns true when the work should stop.
        """
        self._run_optional(lambda: self._prepare(seconds, abandoned), abandoned)

    def due(self, seconds: float) -> bool:
        """Check whether a measurement is due after ``seconds`` of training."""
        return self._real is not None and self._due(seconds)

    def measure(self, seconds: float, card: Card, abandoned: Callable[[], bool]) -> None:
        """Score the current model, keep it if it is the best, and schedule the next time by the cost of this.

        ``card`` is the card of the model; ``abandoned`` returns true when the work should stop.
        """
        begun, expected = time.perf_counter(), self._measurement_s(self._pace.num_scored)
        self._run_optional(lambda: self._measure(card, abandoned), abandoned)
        took = time.perf_counter() - begun
        if expected and not abandoned():
            self._features_s, self._generation_s = (
                per_image_s * took / expected for per_image_s in (self._features_s, self._generation_s)
            )
        self._spent_s += took
        self._not_before(seconds, took)

    def pop_readings(self) -> dict[str, float | str]:
        """Return the readings of the last measurement for the journal; an empty dict if already returned."""
        readings, self._readings = self._readings, {}
        return readings

    def finish_s(self) -> float:
        """Estimate the seconds that ``finish`` will take, from the cost of measurements so far."""
        if self._real is None:
            return 0.0
        return (1 if self.best is None else 2) * self._measurement_s(self._pace.num_scored_at_end)

    def finish(self, card: Card, abandoned: Callable[[], bool]) -> None:
        """Score the last and the best model by 1,000 images each; the better one becomes the best.

        If they differ by less than the standard error, the last one becomes the best. ``card`` is the card of
        the last model; ``abandoned`` returns true when the work should stop.
        """
        self._run_optional(lambda: self._finish(card, abandoned), abandoned)

    def _prepare(self, seconds: float, abandoned: Callable[[], bool]) -> None:
        assert self._space is not None
        dataset = self._trainer.dataset
        indices = some_of(dataset.num_pictures, NUM_REALS)
        progress = self._progress(abandoned)
        features = real_features(dataset, indices, self._space, progress)
        progress(0, 1, "timing a quality measurement")
        self._real = Side(dataset.batch(indices), features)
        untrained = self._generate(self._trainer.shipped(untrained_generator(self._trainer)), SLICE, silent)
        self._worst = worst_distance(untrained, self._real, self._space)
        self._since = seconds
        self._not_before(seconds, self._expected_s())
        progress(1, 1, "timing a quality measurement")

    def _expected_s(self) -> float:
        """Time both parts of a measurement with a few images; return the seconds of a whole one."""
        assert self._real is not None and self._space is not None
        generator = self._trainer.shipped()
        images = self._real.images[:SLICE]
        self._space.features(images[:1])  # the first call builds the network
        self._generate(generator, 1, silent)
        begun = time.perf_counter()
        self._space.features(images)
        features_done = time.perf_counter()
        self._generate(generator, SLICE, silent)
        generation_done = time.perf_counter()
        self._features_s = (features_done - begun) / len(images)
        self._generation_s = (generation_done - features_done) / SLICE
        return self._measurement_s(self._pace.num_scored)

    def _measurement_s(self, num: int) -> float:
        return num * self._features_s + (num + NUM_CALIBRATING) * self._generation_s

    def _not_before(self, seconds: float, expected_s: float) -> None:
        """Schedule the next measurement so that all of them, including it, stay within their share."""
        self._due.from_now(seconds)
        affordable = self._since + (self._spent_s + expected_s) / self._pace.score_cost
        self._due.next = max(self._due.next, affordable)

    def _measure(self, card: Card, abandoned: Callable[[], bool]) -> None:
        shipped = self._trainer.shipped()
        progress = self._progress(abandoned)
        comparison = self._compare(shipped, self._pace.num_scored, progress, MEASURING)
        score = self._score(comparison, card.images_seen)
        self.latest = score.kernel_distance
        self._readings = self._readings_of(score) | neighbourhoods(comparison)
        if self.best is None or not is_comparable(score, self.best) or is_better(score, self.best):
            with self._patience:
                save(self._run.folder / "model" / "best", shipped, card)
                self._run.write_metadata(self._run.metadata.changed(best=score))
                self.best, self._after_best = score, []
        else:
            self._after_best.append(score)
            if self._ends_on_a_plateau:
                self.stop_reason = on_a_plateau(self.best, self._after_best)

    def _finish(self, card: Card, abandoned: Callable[[], bool]) -> None:
        progress, best_folder = self._progress(abandoned), self._run.path / "model" / "best"
        best_is_earlier = self.best is not None and self.best.images_seen != card.images_seen
        what = f"{MEASURING}, {{}} of {2 if best_is_earlier else 1}"
        shipped = self._trainer.shipped()
        comparison = self._compare(shipped, self._pace.num_scored_at_end, progress, what.format(1))
        last = best = self._score(comparison, card.images_seen)
        if best_is_earlier:
            try:
                earlier = load_model(best_folder, self._callback.noted)
                num = self._pace.num_scored_at_end
                comparison = self._compare(earlier.generator, num, progress, what.format(2))
                score = self._score(comparison, earlier.card.images_seen)
                best = score if is_better(score, last) else last
            except (DamagedError, UsageError) as error:
                self._callback.noted(f"the best model is lost; the last model replaces it: {error.message}")
        if best is last:
            save(self._run.folder / "model" / "best", shipped, card)
        self.best = best
        # Neighbourhoods depend on the number of images, which is larger here than during the run.
        self._readings = self._readings_of(last)
        final = FinalScores(at_images=card.images_seen, best=best, last=last)
        self._run.write_metadata(self._run.metadata.changed(best=best, final=final))

    def _compare(self, generator: Generator, num: int, progress: CountCallback, what: str) -> Comparison:
        assert self._real is not None and self._space is not None
        share = self._generation_s / ((self._generation_s + self._features_s) or 1.0)
        images = self._generate(generator, num, _part(progress, what, 0.0, share))
        features = features_of(images, self._space, _part(progress, what, share, 1.0))
        return Comparison(Side(images, features), self._real, self._real, self._space)

    def _generate(self, generator: Generator, num: int, progress: CountCallback) -> np.ndarray:
        trainer = self._trainer
        return generated(generator, trainer.recipe.latent.prior, trainer.images_by_class, num, 0, progress)

    def _score(self, comparison: Comparison, images_seen: int) -> QualityScore:
        assert comparison.space is not None
        value, error = estimate(comparison.generated.features, comparison.real.features)
        return QualityScore(
            images_seen=images_seen,
            kernel_distance=value,
            error=error,
            num_samples=len(comparison.generated),
            num_reals=len(comparison.real),
            features=comparison.space.name,
            features_sha256=comparison.space.sha256,
        )

    def _readings_of(self, score: QualityScore) -> dict[str, float | str]:
        """Return a score as readings for the journal."""
        readings: dict[str, float | str] = {
            "kernel_distance": score.kernel_distance,
            "kernel_distance_error": score.error,
            SPACE: score.features_sha256,
        }
        if self._worst > 0:
            readings[BY_FEATURES] = share_of_way(score.kernel_distance, self._worst)
        return readings

    def _progress(self, abandoned: Callable[[], bool]) -> CountCallback:
        def report(done: int, total: int, what: str) -> None:
            if abandoned():
                raise _Abandoned
            self._callback.preparing(done, total, what)

        return report

    def _run_optional(self, work: Callable[[], None], abandoned: Callable[[], bool]) -> None:
        """Do work that the run can do without; for lack of memory or disk space, stop measuring quality."""
        if self._space is None or abandoned():
            return
        try:
            work()
            return
        except _Abandoned:
            return
        except LostFolder:
            raise
        except (ResourceError, DamagedError) as error:
            why = error.message
        except (MemoryError, RuntimeError) as error:
            if not ran_out_of_memory(error):
                raise
            why = "memory ran out"
        self._space = self._real = None
        self._callback.noted(f"quality is no longer measured: {why}")


def _part(progress: CountCallback, what: str, begin: float, end: float) -> CountCallback:
    """Return a callback for a part of some work, which spans the shares ``begin`` to ``end`` of the whole."""
    return lambda done, total, _: progress(round(total * begin + done * (end - begin)), total, what)


def neighbourhoods(comparison: Comparison) -> dict[str, float]:
    """Return the readings besides kernel distance, by name: metrics of neighbourhoods in feature space."""
    between, real = comparison.between, comparison.real.among
    precision, recall = precision_recall(between, comparison.generated.among, real)
    return {
        "precision": precision,
        "recall": recall,
        "coverage": density_coverage(between, real)[1],
        "memorised": memorised(between, real),
    }


class _Abandoned(Exception):
    """A signal came during a measurement."""


def is_comparable(new: QualityScore, old: QualityScore) -> bool:
    """Check whether two scores are in the same feature space; scores of different spaces are unrelated.

    A resumed run may have scores in two spaces, if another space was installed or requested meanwhile.
    """
    return new.features_sha256 == old.features_sha256


def is_better(new: QualityScore, best: QualityScore) -> bool:
    """Check whether a score is better than ``best`` by more than the standard error of the difference."""
    return new.kernel_distance < best.kernel_distance - math.hypot(new.error, best.error)


def on_a_plateau(best: QualityScore, after: list[QualityScore]) -> str:
    """Return why a run is on a plateau; an empty string if fewer than ``PATIENCE`` scores follow the best."""
    if len(after) < PATIENCE:
        return ""
    where = f"the best was {best.kernel_distance:.3g} after {best.images_seen:,} images"
    return f"kernel distance has not improved in {len(after)} measurements; {where}"
