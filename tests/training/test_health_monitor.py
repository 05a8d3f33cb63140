"""Examinations of a training: when, at what cost to the result, and what the journal and the case say."""

import json
import math
from typing import Any

import numpy as np
import pytest
import torch

import ganzfeld as gz
from ganzfeld.compute.batch_loader import from_cache
from ganzfeld.compute.distributed import joined
from ganzfeld.compute.engine import choose_engine
from ganzfeld.data import open_images
from ganzfeld.data.order import evenly_spaced
from ganzfeld.errors import DamagedError, TrainingFailed
from ganzfeld.health import RunEvidence
from ganzfeld.health.readings import readings
from ganzfeld.metrics import quality_scale
from ganzfeld.training.build import start
from ganzfeld.training.callbacks import Pace, TrainCallback
from ganzfeld.training.monitors.health import HealthMonitor
from ganzfeld.training.snapshot import live_tensors
from tests.conftest import blobs
from tests.training.conftest import AT_EVERY_STEP, small, together

QUALITY = set(quality_scale.NAMES)
OF_LOOPS = set(readings.load("loop").NAMES)
NAMES = {name for entry in readings.names() for name in readings.load(entry).NAMES} - OF_LOOPS | QUALITY
OF_CLASSES = set(readings.load("classes").NAMES)


@pytest.fixture
def always(monkeypatch):
    """Every step is read and examined."""
    monkeypatch.setattr(TrainCallback, "pace", Pace(**AT_EVERY_STEP))


class TestExaminer:
    @pytest.mark.parametrize("name", ["modern", "seed", "radford2015"])
    def test_looking_does_not_change_what_is_trained(self, name, trainer_of):
        recipe = small(name, stabilisers=["spectral", "r1"], mirror=True)
        plain, looked_at = trainer_of(recipe), trainer_of(recipe)
        health_monitor = HealthMonitor(looked_at)
        for _ in range(6):
            plain.advance()
            health_monitor.note(looked_at.advance())
            health_monitor.take_readings(0.0, everything=True)
        ours, theirs = live_tensors(plain), live_tensors(looked_at)
        assert all(torch.equal(ours[key], theirs[key]) for key in ours)

    def test_reads_everything_at_once(self, trainer_of):
        trainer = trainer_of(small("radford2015"))
        health_monitor = HealthMonitor(trainer)
        for _ in range(70):
            health_monitor.note(trainer.advance())
        probe = health_monitor.probe()
        assert probe.real_logits.shape == probe.fake_logits.shape == (64, 8)
        assert probe.images.shape == probe.real.shape == (64, 3, 16, 16)
        first = health_monitor.take_readings(0.0, everything=True)
        assert set(first) == NAMES - OF_CLASSES - {"drift"}
        assert set(health_monitor.take_readings(0.0, everything=True)) == NAMES - OF_CLASSES
        assert all(isinstance(value, float) and math.isfinite(value) for value in first.values())

    @pytest.mark.parametrize(
        "changed", [{}, {"generator.normalisation": "spectral"}], ids=["batch", "spectral"]
    )
    def test_the_scale_of_quality_stays_after_going_on(self, trainer_of, changed):
        trainer = trainer_of(small("modern", **changed))
        from_the_beginning = HealthMonitor(trainer)
        for _ in range(5):
            from_the_beginning.note(trainer.advance())
        images = from_the_beginning.probe().images
        quality = from_the_beginning.quality_of(images)
        assert quality and HealthMonitor(trainer).quality_of(images) == quality

    def test_a_few_images_after_going_on_do_not_speak_for_many(self, trainer_of):
        trainer = trainer_of(small("radford2015"))
        from_the_beginning = HealthMonitor(trainer)
        for steps in (2, 70):
            for _ in range(steps):
                from_the_beginning.note(trainer.advance())
            assert "separation" in from_the_beginning.take_readings(0.0)
        going_on = HealthMonitor(trainer)
        told = []
        for _ in range(9):
            going_on.note(trainer.advance())
            told.append("separation" in going_on.take_readings(0.0))
        assert told == [False] * 7 + [True] * 2, "batches of 8, until there are 64"

    def test_images_are_those_of_the_seeds(self, trainer_of):
        """As the sheets show them, but for statistics, which are those of the images themselves."""
        for normalisation, most in (("layer", 1e-6), ("batch", 0.1)):
            trainer = trainer_of(small("modern", **{"generator.normalisation": normalisation}))
            health_monitor = HealthMonitor(trainer)
            for _ in range(20):
                health_monitor.note(trainer.advance())
            shown = gz.latents_of_seeds(range(64), 16)
            with torch.no_grad():
                off = health_monitor.probe().images - trainer.shipped()(shown)
            assert off.square().mean().sqrt() < most

    def test_large_images_and_small_sets(self, trainer_of, tmp_path):
        np.save(tmp_path / "three.npy", blobs(3, 16))
        trainer = trainer_of(small())
        trainer.dataset = open_images(tmp_path / "three.npy", size=(16, 16))
        trainer.gather = from_cache(trainer.dataset, trainer.engine)
        health_monitor = HealthMonitor(trainer, most_pixels=20 * 256)
        health_monitor.note(trainer.advance())
        probe = health_monitor.probe()
        assert (len(probe.latents), len(probe.real)) == (20, 3)
        assert all(
            math.isfinite(value) for value in health_monitor.take_readings(0.0, everything=True).values()
        )

    def test_is_due_by_what_it_costs(self, trainer_of, monkeypatch):
        clock = iter([0.0, 0.1, 0.0, 0.01, 0.0, 0.1])
        trainer = trainer_of(small())
        health_monitor = HealthMonitor(trainer)
        health_monitor.note(trainer.advance())
        assert health_monitor.due(0.0)
        monkeypatch.setattr("ganzfeld.training.monitors.readings.time.perf_counter", lambda: next(clock))
        every = set(health_monitor.take_readings(3.0))
        next_of_all = 3.0 + 0.1 / Pace.readings_cost
        assert not health_monitor.due(3.0 + Pace.readings_every_s - 0.1)
        assert health_monitor.due(3.0 + Pace.readings_every_s)
        few = set(health_monitor.take_readings(4.5))
        assert {"separation", "update_ratio_generator"} < few < every
        assert "diversity" not in few
        next_of_few = 4.5 + 0.01 / Pace.cheap_readings_cost
        assert next_of_few < next_of_all
        assert not health_monitor.due(next_of_few - 0.1)
        assert health_monitor.due(next_of_few)
        assert set(health_monitor.take_readings(next_of_all)) == every | {"drift"}

    def test_rank_0_works_alone(self, array_file):
        """Batch norms of all ranks would wait for the others; afterwards they do again."""

        def work():
            with joined() as ranks:
                recipe = small("radford2015")
                dataset = open_images(array_file, size=recipe.size)
                trainer = start(recipe, dataset, choose_engine("cpu", "float32"), 0, ranks)
                found = None
                health_monitor = HealthMonitor(trainer)
                for _ in range(3):
                    health_monitor.note(trainer.advance())
                    if ranks.rank == 0:
                        found = health_monitor.take_readings(0.0, everything=True)
                return found, live_tensors(trainer)

        (found, ours), (_, theirs) = together(2, work)
        assert found is not None
        assert {"batch_noise", "batch_leak", "drift"} <= set(found)
        assert all(math.isfinite(value) for value in found.values())
        assert all(torch.equal(ours[name], theirs[name]) for name in ours)


class TestJournal:
    def test_first_and_last_reading_carry_one(self, array_file, tmp_path):
        run = gz.train(array_file, recipe=small(), images=160, out=tmp_path)
        assert "health" in run.journal[0]
        assert "health" in run.journal[-1]
        assert set(run.journal[-1]["health"]) <= NAMES
        more = gz.resume(run.path, images=320)
        assert "health" in more.journal[-1]
        assert sum("health" in entry for entry in more.journal) == 4, "and those of the second part"

    def test_a_run_that_is_always_examined_ends_the_same(self, array_file, tmp_path, always):
        settings: dict[str, Any] = {"recipe": small("radford2015"), "images": 80, "precision": "float32"}
        curious = gz.train(array_file, out=tmp_path, **settings)
        assert [set(entry["health"]) <= NAMES for entry in curious.journal] == [True] * 10
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(HealthMonitor, "take_readings", lambda health_monitor, seconds, everything: {})
            plain = gz.train(array_file, out=tmp_path, **settings)
        ours, theirs = curious.generator.state_dict(), plain.generator.state_dict()
        assert all(torch.equal(ours[name], theirs[name]) for name in ours)

    def test_what_is_not_finite_is_null(self, array_file, tmp_path):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(
                HealthMonitor,
                "take_readings",
                lambda health_monitor, seconds, everything: {"a": math.nan, "b": 1.0},
            )
            run = gz.train(array_file, recipe=small(), images=8, out=tmp_path)
        assert run.journal[-1]["health"] == {"a": None, "b": 1.0}
        assert len(run.evidence.series("a")) == 0
        assert run.evidence.series("b").values.tolist() == [1.0]

    def test_a_divergence_is_examined_before_it_is_told(self, array_file, tmp_path):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("ganzfeld.training.trainer.Trainer._latents", spoilt)
            with pytest.raises(TrainingFailed):
                gz.train(array_file, recipe=small(), images=80, out=tmp_path)
        (path,) = tmp_path.iterdir()
        assert "health" in gz.open_run(path).journal[-1]


def spoilt(trainer) -> torch.Tensor:
    """Latents that are no numbers."""
    return torch.full((8, 16), torch.nan)


class TestCase:
    def test_is_what_the_run_says(self, array_file, tmp_path):
        run = gz.train(array_file, recipe=small(), images=80, out=tmp_path)
        case = run.evidence
        assert isinstance(case, RunEvidence)
        assert case.recipe == json.loads((run.path / "recipe.json").read_text())
        assert (case.num_pictures, case.num_duplicates) == (200, run.metadata.num_duplicates)
        assert (case.planned_images, case.images_seen) == (80, 80)
        assert case.series("separation").images.tolist()[-1] == 80
        assert len(case.series("loss_generator")) == len(run.journal)

    def test_counts_duplicates(self, tmp_path):
        noise = np.random.default_rng(0).integers(0, 256, (12, 16, 16, 3), np.uint8)
        np.save(tmp_path / "twice.npy", np.concatenate([noise, noise[:5]]))
        run = gz.train(tmp_path / "twice.npy", recipe=small(), images=8, out=tmp_path / "runs")
        assert run.evidence.num_duplicates == 5
        np.save(tmp_path / "twice.npy", noise)
        assert gz.resume(run.path, images=16, inexact=True).evidence.num_duplicates == 0

    def test_of_a_run_that_trains_now(self, array_file, tmp_path):
        seen = []

        class Curious(TrainCallback):
            def started(self, run, summary):
                self.run = run

            def read(self, progress):
                seen.append(self.run.evidence)

        gz.train(array_file, recipe=small(), images=80, out=tmp_path, callback=Curious())
        assert all(len(case.entries) and case.planned_images == 80 for case in seen)

    def test_of_older_and_damaged_folders(self, array_file, tmp_path):
        run = gz.train(array_file, recipe=small(), images=80, out=tmp_path)
        metadata = json.loads((run.path / "run.json").read_text())
        del metadata["num_duplicates"]
        (run.path / "run.json").write_text(json.dumps(metadata))
        journal = run.path / "journal.jsonl"
        whole = journal.read_text()
        journal.write_text(whole + whole.splitlines()[-1][:-9])
        assert run.evidence.num_duplicates == 0
        assert len(run.evidence.entries) == len(whole.splitlines()), "the cut line is left out"
        journal.unlink()
        assert run.evidence.images_seen == 0
        for damaged in ('{"images_seen": 8, "health": 3}\n', "not\na journal\n"):
            journal.write_text(damaged)
            with pytest.raises(DamagedError, match="line 1"):
                _ = run.evidence


@pytest.mark.parametrize(("num", "wanted"), [(1, 64), (5, 64), (64, 64), (1000, 64), (7, 1)])
def test_spread(num, wanted):
    found = evenly_spaced(num, wanted)
    assert len(found) == min(num, wanted) == len(set(found.tolist()))
    assert found[0] == 0
    assert wanted == 1 or found[-1] == num - 1
