"""Whole runs: what a run folder holds, how runs end, and what survives each end."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import ganzfeld as gz
from ganzfeld.compute.seeding import Purpose, derived_seed
from ganzfeld.errors import DataError, Interrupted, ResourceError, TrainingFailed, UsageError
from ganzfeld.options import TrainOptions
from ganzfeld.printable import duration
from ganzfeld.runs.budget import Budget
from ganzfeld.runs.journal import read_journal
from ganzfeld.runs.schedule import rate_factor
from ganzfeld.training import dry_run
from ganzfeld.training.callbacks import Pace, TrainCallback
from ganzfeld.training.clock import Due
from ganzfeld.training.dry_run import rehearse
from tests.cli.test_cli import call
from tests.training.conftest import SMALL, small

pytestmark = pytest.mark.machine

PACKAGE = Path(gz.__file__).parent


def weights(run) -> dict[str, torch.Tensor]:
    return run.generator.state_dict()


@pytest.fixture
def run(folder, tmp_path):
    return gz.train(folder, recipe="modern", settings=SMALL, images=80, out=tmp_path)


class TestRunFolder:
    def test_holds_what_the_contract_says(self, run):
        assert run.path.name == "mes-photos-001" or run.path.name.endswith("-001")
        names = {str(path.relative_to(run.path)) for path in run.path.rglob("*") if path.is_file()}
        assert names == {
            "recipe.json",
            "run.json",
            "journal.jsonl",
            "reals.png",
            "report.html",
            "verdict.json",
            ".lock",
            "checkpoints/000000000080.safetensors",
            "checkpoints/000000000080.sha256",
            "model/last/generator.safetensors",
            "model/last/card.json",
            *(f"samples/{sheet.name}" for sheet in run.sample_files),
        }
        assert [sheet.stem for sheet in run.sample_files] == ["0", "80"]
        assert run.recipe == gz.resolve("modern", SMALL)

    def test_journal_says_how_it_went(self, run):
        last = run.journal[-1]
        assert (last["step"], last["images_seen"]) == (10, 80)
        assert {"seconds", "loss_generator", "loss_discriminator", "logit_real", "logit_fake"} <= set(last)

    def test_images_come_out(self, run):
        images = run.sample(5)
        assert (images.shape, images.dtype) == ((5, 16, 16, 3), np.uint8)
        assert np.array_equal(run.sample(seeds=[4])[0], images[4])
        assert not np.array_equal(run.sample(5, truncation=0.5), images)
        for wrong in ({"num": -1}, {"num": 0}, {"num": "a"}, {"num": 2, "seeds": [1]}, {"seeds": [-1]}):
            with pytest.raises(UsageError):
                run.sample(**wrong)

    def test_the_last_sheet_is_the_models(self, run):
        with Image.open(run.sample_files[-1]) as sheet:
            shown = np.asarray(sheet)[:16, :16]
        assert np.array_equal(shown, run.sample(1)[0])

    def test_load_gives_the_same_generator(self, run):
        generator = gz.load(run.path)
        assert not generator.training
        images = generator(gz.latents_of_seeds([0], generator.latent_size))
        assert images.shape == (1, 3, 16, 16)
        assert gz.open_run(run.path).sample(1).shape == (1, 16, 16, 3)

    def test_report_is_self_contained(self, run):
        page = (run.path / "report.html").read_text()
        assert page.count("data:image/png;base64,") >= 3
        assert f"seen in {duration(run.journal[-1]['seconds'])}" in page
        assert "quality</dt><dd>not measured: GANZFELD_FEATURES is none" in page
        assert page.count("data:image/svg+xml;base64,") == 2
        assert "http://" not in page and "https://" not in page and "<script" not in page

    def test_the_next_run_gets_the_next_number(self, run, folder):
        again = gz.train(folder, settings=SMALL, images=8, out=run.path.parent)
        assert again.path.name == run.path.name[:-3] + "002"

    def test_the_users_images_are_left_alone(self, folder, tmp_path):
        def state():
            return {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in folder.rglob("*")}

        before = state()
        gz.train(folder, settings=SMALL, images=8, out=tmp_path)
        assert state() == before


class Curious(TrainCallback):
    """Wants a sample grid after every step."""

    pace = Pace(grid_every_s=0.0, grid_every_share=0.0)


class TestRepetition:
    def test_the_same_seed_gives_the_same_weights(self, array_file, tmp_path):
        runs = [
            gz.train(array_file, recipe=small(), images=64, seed=seed, out=tmp_path, precision="float32")
            for seed in (3, 3, 4)
        ]
        first, again, other = map(weights, runs)
        assert all(torch.equal(first[name], again[name]) for name in first)
        assert not all(torch.equal(first[name], other[name]) for name in first)

    def test_looking_does_not_change_what_is_trained(self, array_file, tmp_path):
        """A run that saves and shows itself after every step ends with the weights of one that never does."""
        plain = gz.train(array_file, recipe=small(), images=64, out=tmp_path, precision="float32")
        curious = gz.train(
            array_file, recipe=small(), images=64, out=tmp_path, precision="float32", callback=Curious()
        )
        assert len(curious.sample_files) > len(plain.sample_files)
        assert all(torch.equal(value, weights(curious)[name]) for name, value in weights(plain).items())

    def test_streams_are_independent(self):
        seeds = {derived_seed(0, purpose, index) for purpose in Purpose for index in range(1000)}
        assert len(seeds) == 1000 * len(Purpose)


class Listener(TrainCallback):
    """Keeps the notes of a training."""

    def __init__(self):
        self.notes = []

    def noted(self, text):
        self.notes.append(text)


def test_what_to_mind_about_the_images_is_told(folder, tmp_path):
    listener = Listener()
    gz.train(folder, settings=SMALL, images=8, out=tmp_path, callback=listener)
    assert any("Only 30 images" in note for note in listener.notes)
    notes = rehearse(folder, TrainOptions(settings=SMALL))["notes"]
    assert [note for note in notes if "Only 30 images" in note], "a dry run says the same"


def test_settings_far_from_all_recipes_are_named_before_training(array_file, tmp_path):
    listener = Listener()
    far = ["discriminator.optimizer.lr=0.05"]
    gz.train(array_file, recipe=small(), settings=far, images=8, out=tmp_path, callback=listener)
    assert (
        "unusual: the learning rate of the discriminator is 0.05, 50 times the value in modern (0.001)"
        in (listener.notes)
    )


class TestEnds:
    def test_minutes_end_a_run(self, array_file, tmp_path):
        run = gz.train(array_file, recipe=small(), minutes=0.05, out=tmp_path)
        assert 3 <= run.journal[-1]["seconds"] < 60, "one step too late, which on a busy machine may be long"
        assert run.metadata.horizons

    def test_the_first_limit_reached_counts(self, array_file, tmp_path):
        run = gz.train(array_file, recipe=small(), minutes=60, images=16, out=tmp_path)
        assert run.journal[-1]["images_seen"] == 16

    def test_what_is_not_finite_ends_a_run_and_keeps_the_model(self, array_file, tmp_path):
        wild = small(stabilisers=[{"name": "instance-noise", "sigma": 3e38}])
        with pytest.raises(TrainingFailed, match="diverged") as caught:
            gz.train(array_file, recipe=wild, images=4000, out=tmp_path)
        (run,) = tmp_path.iterdir()
        assert "Nothing had been saved yet" in caught.value.hint
        assert gz.open_run(run).history.all() == []
        assert (run / "report.html").exists()

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_a_signal_saves_and_tells(self, array_file, tmp_path, number):
        class Impatient(TrainCallback):
            told = False

            def read(self, progress):
                if not self.told:
                    self.told = True
                    os.kill(os.getpid(), number)

        before = signal.getsignal(number)
        with pytest.raises(Interrupted) as caught:
            gz.train(array_file, recipe=small(), minutes=5, out=tmp_path, callback=Impatient())
        assert caught.value.exit_code == 128 + number
        (run,) = tmp_path.iterdir()
        assert str(run) in caught.value.message
        seen = gz.open_run(run).model.card.images_seen
        assert seen == gz.open_run(run).journal[-1]["images_seen"] > 0
        assert signal.getsignal(number) is before, "the handler that was there is back"

    def test_a_second_signal_ends_at_once(self, array_file, tmp_path):
        code = (
            "import os, signal, ganzfeld as gz\n"
            "from ganzfeld.training.callbacks import TrainCallback\n"
            "class Twice(TrainCallback):\n"
            "    def read(self, progress):\n"
            "        os.kill(os.getpid(), signal.SIGTERM); os.kill(os.getpid(), signal.SIGTERM)\n"
            f"gz.train({str(array_file)!r}, settings={SMALL!r}, out={str(tmp_path)!r}, callback=Twice())\n"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True)
        assert done.returncode == -signal.SIGTERM

    def test_an_interrupted_command_line(self, array_file, tmp_path):
        command = [
            sys.executable,
            "-m",
            "ganzfeld",
            "train",
            str(array_file),
            "--out",
            str(tmp_path),
            "--route",
            "plain",
            *(word for name, value in SMALL.items() for word in ("--set", f"{name}={value}")),
        ]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        while not list(tmp_path.glob("*/samples/0.png")) and process.poll() is None:
            time.sleep(0.05)
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        _, told = process.communicate()
        assert process.returncode == 130
        assert "Traceback" not in told
        (run,) = tmp_path.iterdir()
        assert f"ganzfeld resume {run}" in told
        assert gz.open_run(run).sample(1).shape == (1, 16, 16, 3)


class TestMistakes:
    def test_the_hint_for_a_batch_of_one_works(self, array_file, tmp_path):
        changed = ["generator.normalisation=layer", "size=16"]
        run = gz.train(array_file, batch=1, settings=changed, images=2, out=tmp_path)
        assert run.journal[-1]["images_seen"] == 2

    @pytest.mark.parametrize(
        "arguments",
        [
            {"size": 4},
            {"batch": 1},
            {"batch": 0},
            {"minutes": 0},
            {"minutes": -1},
            {"minutes": float("nan")},
            {"images": 0},
            {"seed": -1},
            {"recipe": "modrn"},
            {"device": "gpu"},
            {"precision": "float8"},
            {"checkpoint_seconds": 0},
            {"settings": ["generator.optimizer.lr=-1"]},
            {"settings": ["loss.smoothing=0.5"]},
            {"settings": ["loss.temperature=0"]},
        ],
    )
    def test_are_refused_before_anything_is_done(self, array_file, tmp_path, arguments):
        with pytest.raises(UsageError):
            gz.train(array_file, out=tmp_path / "runs", **arguments)
        assert not (tmp_path / "runs").exists()

    def test_images_that_are_not_there(self, tmp_path):
        (tmp_path / "empty").mkdir()
        for name in ("empty", "absent"):
            with pytest.raises(DataError):
                gz.train(tmp_path / name, out=tmp_path / "runs", images=8)

    def test_a_folder_that_cannot_be_written(self, array_file, tmp_path):
        (tmp_path / "file").write_text("in the way")
        for out in (tmp_path / "file", Path("/proc/nowhere")):
            with pytest.raises(ResourceError, match=str(out)):
                gz.train(array_file, out=out, recipe=small(), images=8)

    @pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a CUDA device")
    def test_a_device_that_is_not_there(self, array_file, tmp_path):
        with pytest.raises(ResourceError, match="CUDA"):
            gz.train(array_file, device="cuda", out=tmp_path)

    def test_a_model_folder_is_not_a_run(self, tmp_path, run):
        with pytest.raises(UsageError, match="not a run"):
            gz.open_run(run.path / "model" / "last")
        with pytest.raises(UsageError):
            gz.open_run(tmp_path / "absent")


def test_rehearsal_measures_without_writing(array_file, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    plan = rehearse(array_file, TrainOptions(recipe=small(), images=1000))
    assert plan["images"] == 1000
    assert plan["images_per_s"] > 0
    # Both are rounded to a tenth, of which a fast machine makes few.
    assert plan["seconds"] == pytest.approx(1000 / plan["images_per_s"], rel=0.1, abs=0.06)
    assert plan["memory_bytes"] is None or plan["memory_bytes"] > 2**20
    assert plan["ladder"] == [[4, 4], [8, 8], [16, 16]]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_rehearsal_says_that_nothing_is_kept(array_file, monkeypatch, number):
    class Stopped(dry_run.Loop):
        def _start(self):
            super()._start()
            os.kill(os.getpid(), number)

    monkeypatch.setattr(dry_run, "Loop", Stopped)
    with pytest.raises(Interrupted) as caught:
        rehearse(array_file, TrainOptions(recipe=small(), images=1000))
    assert caught.value.exit_code == 128 + number
    assert "nothing of it is kept" in caught.value.message
    assert tempfile.gettempdir() not in str(caught.value) + caught.value.hint
    assert "resume" not in caught.value.hint.lower()


def test_journal_survives_a_cut_line(tmp_path):
    path = tmp_path / "journal.jsonl"
    path.write_text(json.dumps({"images_seen": 8}) + "\n" + '{"images_seen": 16, "st')
    assert read_journal(path) == [{"images_seen": 8}]
    path.write_text('{"images_seen": 8\n{"images_seen": 16}\n')
    with pytest.raises(gz.GanzfeldError, match="line 1"):
        read_journal(path)


def test_budget():
    assert Budget().minutes == 5
    assert Budget(images=10).minutes is None
    assert Budget(images=100).horizon(0, 0, 0) == 100
    assert Budget(minutes=1).horizon(0, 0, 0) is None
    assert Budget(minutes=1).horizon(1000, 10, 100) == 6000
    assert Budget(minutes=1, images=50).horizon(1000, 10, 100) == 50
    assert Budget(minutes=1, images=700).remaining_s(100, 10, 20) == 30
    assert not Budget(images=10).spent(9, 1e9)
    assert Budget(images=10).spent(10, 0)


def test_due_grows_with_age():
    due = Due(10, share=0.5)
    times = [second for second in range(200) if due(second)]
    assert times == [0, 10, 20, 30, 45, 68, 102, 153]


def test_durations():
    assert [duration(s) for s in (3.2, 75, 7500)] == ["3 s", "1 min 15 s", "2 h 05 min"]


def test_schedule():
    schedule = gz.resolve("modern", {"schedule.warmup_images": 99, "schedule.decay": "cosine"}).schedule
    schedule = schedule.model_copy(update={"floor": 0.1})
    assert rate_factor(schedule, 0, 0) == pytest.approx(0.01)
    assert rate_factor(schedule, 1000, 0) == pytest.approx(1)
    assert rate_factor(schedule, 1000, 0.5) == pytest.approx(0.55)
    assert rate_factor(schedule, 1000, 1) == pytest.approx(0.1)
    assert rate_factor(schedule.model_copy(update={"decay": "linear"}), 1000, 0.75) == pytest.approx(0.325)
    assert rate_factor(schedule.model_copy(update={"decay": "none"}), 1000, 1) == 1


def test_few_calls_lie_between_the_command_and_the_optimizer(array_file, tmp_path, monkeypatch):
    """Command, train, loop, trainer, step, update, descent: whoever follows one step opens few files."""
    calls: list[list[str]] = []
    usual = torch.optim.Adam.step

    def watched(self, closure=None):
        frame, names = sys._getframe(1), []
        while frame is not None:
            if Path(frame.f_code.co_filename).is_relative_to(PACKAGE):
                names.append(frame.f_code.co_name)
            frame = frame.f_back
        calls.append(names[: names.index("command") + 1])
        return usual(self, closure)

    monkeypatch.setattr(torch.optim.Adam, "step", watched)
    words = ["train", array_file, "--images", 8, "--out", tmp_path, "--route", "plain"]
    words += [word for name, value in SMALL.items() for word in ("--set", f"{name}={value}")]
    assert call(*words)[0] == 0
    assert calls
    for names in calls:
        assert len(names) <= 7, names
