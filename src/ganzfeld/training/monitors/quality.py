"""How good the model is while it trains: kernel distance and its like, of the averaged weights, now and then.

Rank 0 does this alone, between two steps and outside the training's time, and changes nothing of it: all
latents are those of fixed seeds. The best model so far is kept in ``model/best/``. Not needed to train: where
it cannot be done, the training goes on without it and says why.
"""

import math
import time
from collections.abc import Callable

import numpy as np

from ganzfeld.errors import DamagedError, ResourceError, UsageError
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
from ganzfeld.training.saver import Patience
from ganzfeld.training.trainer import Trainer

NUM_REALS = 1000
NUM_ON_THE_WAY = 256
NUM_AT_THE_END = 1000
SHARE = 0.05
"""Of the time of training, at most."""
LEAST_SPACING_S = 20.0
NUM_CALIBRATING = 512
"""Images that are made to fix the statistics of the average."""

MEASURING = "measuring quality"

PATIENT = 5
"""Judgements without a better one, after which a training is on a plateau."""


class QualityMonitor:
    """Judges a training as it goes on.

    ``wanted`` false: not at all, as in a dry run. ``over`` says, once it is so, why ``--stop
    plateau`` ends the run.
    """

    def __init__(self, trainer: Trainer, run: Run, callback: TrainCallback, *, wanted: bool = True) -> None:
        metadata = run.metadata
        self._trainer, self._run, self._callback = trainer, run, callback
        self._space, why_not = scoring_space(trainer.dataset.num_pictures) if wanted else (None, "")
        if why_not:
            callback.noted(f"quality will not be measured: {why_not}")
        self._ends_on_a_plateau = metadata.stop == "plateau"
        self._real: Side | None = None
        self._due = Due(LEAST_SPACING_S)
        self._since = self._spent_s = 0.0
        self._of_looking = self._of_making = 0.0
        """Seconds that an image takes to be looked at, and to be made."""
        self._news: dict[str, float | str] = {}
        self._after_best: list[QualityScore] = []
        self._patience = Patience(callback.noted)
        self.best = metadata.best
        self.latest = metadata.best.kernel_distance if metadata.best else None
        self.over = ""

    def prepare(self, seconds: float, abandoned: Callable[[], bool]) -> None:
        """Look at the real images, once for each set, and find out what a judgement will cost.

        ``seconds`` of training are behind; ``abandoned`` says whether to leave off.
        """
        self._carefully(lambda: self._prepare(seconds, abandoned), abandoned)

    def due(self, seconds: float) -> bool:
        """Whether it is time for a judgement, in seconds of training."""
        return self._real is not None and self._due(seconds)

    def look(self, seconds: float, card: Card, abandoned: Callable[[], bool]) -> None:
        """Judge the model as it stands, keep it if it is the best, and set the next time by what this took.

        ``card`` is that of the model; ``abandoned`` says whether to leave off.
        """
        begun, expected = time.perf_counter(), self._judgement_s(NUM_ON_THE_WAY)
        self._carefully(lambda: self._look(card, abandoned), abandoned)
        took = time.perf_counter() - begun
        if expected and not abandoned():
            self._of_looking, self._of_making = (
                of * took / expected for of in (self._of_looking, self._of_making)
            )
        self._spent_s += took
        self._not_before(seconds, took)

    def news(self) -> dict[str, float | str]:
        """The readings of the last judgement for the journal, each told once."""
        told, self._news = self._news, {}
        return told

    def finish_s(self) -> float:
        """About how many seconds ``finish`` will take, by what judgements have taken so far."""
        if self._real is None:
            return 0.0
        return (1 if self.best is None else 2) * self._judgement_s(NUM_AT_THE_END)

    def finish(self, card: Card, abandoned: Callable[[], bool]) -> None:
        """Judge the last model by 1,000 images, and the best one too; the better of the two is the best.

        Where they differ by less than the error, the last one is taken. ``card`` is that of the last model.
        """
        self._carefully(lambda: self._finish(card, abandoned), abandoned)

    def _prepare(self, seconds: float, abandoned: Callable[[], bool]) -> None:
        assert self._space is not None
        dataset = self._trainer.dataset
        indices = some_of(dataset.num_pictures, NUM_REALS)
        told = self._progress(abandoned)
        found = real_features(dataset, indices, self._space, told)
        told(0, 1, "measuring how long a judgement takes")
        self._real = Side(dataset.batch(indices), found)
        self._since = seconds
        self._not_before(seconds, self._expected_s())
        told(1, 1, "measuring how long a judgement takes")

    def _expected_s(self) -> float:
        """About what a judgement takes: that of a few images, times the number."""
        assert self._real is not None and self._space is not None
        generator = self._trainer.shipped()
        few = self._real.images[:SLICE]
        self._space.features(few[:1])  # the first call builds the network
        self._made(generator, 1, silent)
        begun = time.perf_counter()
        self._space.features(few)
        looked = time.perf_counter()
        self._made(generator, SLICE, silent)
        made = time.perf_counter()
        self._of_looking, self._of_making = (looked - begun) / len(few), (made - looked) / SLICE
        return self._judgement_s(NUM_ON_THE_WAY)

    def _judgement_s(self, num: int) -> float:
        return num * self._of_looking + (num + NUM_CALIBRATING) * self._of_making

    def _not_before(self, seconds: float, expected_s: float) -> None:
        """The next judgement comes when all of them, the next one too, are within their share of the time."""
        self._due.from_now(seconds)
        self._due.next = max(self._due.next, self._since + (self._spent_s + expected_s) / SHARE)

    def _look(self, card: Card, abandoned: Callable[[], bool]) -> None:
        shipped = self._trainer.shipped()
        told = self._progress(abandoned)
        comparison = self._comparison(shipped, NUM_ON_THE_WAY, told, MEASURING)
        score = self._judged(comparison, card.images_seen)
        self.latest = score.kernel_distance
        self._news = {
            "kernel_distance": score.kernel_distance,
            "kernel_distance_error": score.error,
            **neighbourhoods(comparison),
            SPACE: score.features_sha256,
        }
        if self.best is None or not is_comparable(score, self.best) or is_better(score, self.best):
            with self._patience:
                save(self._run.folder / "model" / "best", shipped, card)
                self._run.write_metadata(self._run.metadata.changed(best=score))
                self.best, self._after_best = score, []
        else:
            self._after_best.append(score)
            if self._ends_on_a_plateau:
                self.over = on_a_plateau(self.best, self._after_best)

    def _finish(self, card: Card, abandoned: Callable[[], bool]) -> None:
        told, best_folder = self._progress(abandoned), self._run.path / "model" / "best"
        another = self.best is not None and self.best.images_seen != card.images_seen
        what = f"{MEASURING}, {{}} of {2 if another else 1}"
        shipped = self._trainer.shipped()
        comparison = self._comparison(shipped, NUM_AT_THE_END, told, what.format(1))
        last = best = self._judged(comparison, card.images_seen)
        if another:
            try:
                earlier = load_model(best_folder, self._callback.noted)
                comparison = self._comparison(earlier.generator, NUM_AT_THE_END, told, what.format(2))
                judged = self._judged(comparison, earlier.card.images_seen)
                best = judged if is_better(judged, last) else last
            except (DamagedError, UsageError) as error:
                self._callback.noted(f"the best model is lost, the last one takes its place: {error.message}")
        if best is last:
            save(self._run.folder / "model" / "best", shipped, card)
        self.best = best
        final = FinalScores(at_images=card.images_seen, best=best, last=last)
        self._run.write_metadata(self._run.metadata.changed(best=best, final=final))

    def _comparison(self, generator: Generator, num: int, told: CountCallback, what: str) -> Comparison:
        assert self._real is not None and self._space is not None
        made = self._of_making / ((self._of_making + self._of_looking) or 1.0)
        dataset = self._made(generator, num, _part(told, what, 0.0, made))
        found = features_of(dataset, self._space, _part(told, what, made, 1.0))
        return Comparison(Side(dataset, found), self._real, self._real, self._space)

    def _made(self, generator: Generator, num: int, told: CountCallback) -> np.ndarray:
        trainer = self._trainer
        return generated(generator, trainer.recipe.latent.prior, trainer.images_by_class, num, 0, told)

    def _judged(self, comparison: Comparison, images_seen: int) -> QualityScore:
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

    def _progress(self, abandoned: Callable[[], bool]) -> CountCallback:
        def told(done: int, total: int, what: str) -> None:
            if abandoned():
                raise _Abandoned
            self._callback.preparing(done, total, what)

        return told

    def _carefully(self, work: Callable[[], None], abandoned: Callable[[], bool]) -> None:
        """Do what a training can do without: if there is no room or no memory for it, from now on not."""
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


def _part(told: CountCallback, what: str, begin: float, end: float) -> CountCallback:
    """Progress of a part of some work, as that of the whole: from one share of it to another."""
    return lambda done, total, _: told(round(total * begin + done * (end - begin)), total, what)


def neighbourhoods(comparison: Comparison) -> dict[str, float]:
    """What a judgement tells beside the distance: who lies near whom."""
    between, real = comparison.between, comparison.real.among
    precision, recall = precision_recall(between, comparison.generated.among, real)
    return {
        "precision": precision,
        "recall": recall,
        "coverage": density_coverage(between, real)[1],
        "memorised": memorised(between, real),
    }


class _Abandoned(Exception):
    """A signal came while images were looked at."""


def is_comparable(new: QualityScore, old: QualityScore) -> bool:
    """Whether two judgements are in one feature space: figures of two have nothing to do with each other.

    A run that goes on where another space is installed, or asked for, is judged in that one.
    """
    return new.features_sha256 == old.features_sha256


def is_better(new: QualityScore, best: QualityScore) -> bool:
    """Whether a judgement is better by more than the standard error of the difference."""
    return new.kernel_distance < best.kernel_distance - math.hypot(new.error, best.error)


def on_a_plateau(best: QualityScore, after: list[QualityScore]) -> str:
    """Why a training that is to end on a plateau ends: so many judgements since the best; empty if not."""
    if len(after) < PATIENT:
        return ""
    where = f"the best was {best.kernel_distance:.3g} after {best.images_seen:,} images"
    return f"kernel distance has not improved in {len(after)} judgements; {where}"
