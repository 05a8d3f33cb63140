"""Going on with a run: exactly, with another end, in a fork, and under other circumstances."""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

import ganzfeld as gz
from ganzfeld.errors import DamagedError, DataError, ResourceError, UsageError
from ganzfeld.recipes import recipes_of
from ganzfeld.runs.checkpoint_store import CheckpointStore, checkpoints_to_keep
from ganzfeld.training.callbacks import TrainCallback
from ganzfeld.training.snapshot import capture, live_tensors, restore
from tests.conftest import blobs
from tests.training.conftest import small

pytestmark = pytest.mark.machine


class Listener(TrainCallback):
    def __init__(self):
        self.notes = []

    def noted(self, text):
        self.notes.append(text)


def state_of(run: gz.Run) -> dict[str, torch.Tensor]:
    """The tensors of the newest checkpoint, which must be whole."""
    found = run.history.newest(pytest.fail)
    assert found is not None
    return found.tensors


class TestCheckpoint:
    @pytest.mark.parametrize("name", recipes_of("image"))
    def test_a_restored_training_goes_on_to_the_same_bits(self, name, trainer_of):
        recipe = small(str(name), stabilisers=["spectral", "r1"], mirror=True)
        straight, restored = trainer_of(recipe), trainer_of(recipe, seed=0)
        for _ in range(4):
            straight.advance()
        taken = capture(straight, 1.5)
        for _ in range(4):
            straight.advance()
        restore(restored, taken)
        assert restored.index == 4
        for _ in range(4):
            restored.advance()
        ours, theirs = live_tensors(restored), live_tensors(straight)
        assert ours.keys() == theirs.keys()
        assert all(torch.equal(ours[name], theirs[name]) for name in ours)
        assert all(ours[name].stride() == theirs[name].stride() for name in ours)

    def test_is_a_copy(self, trainer_of):
        trainer = trainer_of(small())
        taken = capture(trainer, 0.0)
        before = {name: tensor.clone() for name, tensor in taken.tensors.items()}
        trainer.advance()
        assert all(torch.equal(taken.tensors[name], before[name]) for name in before)

    def test_of_other_networks_is_refused(self, trainer_of):
        taken = capture(trainer_of(small()), 0.0)
        others: list[dict[str, Any]] = [{"generator.width": 16}, {"discriminator.normalisation": "batch"}]
        for other in others:
            with pytest.raises(UsageError, match="other networks"):
                restore(trainer_of(small(**other)), taken)


class TestHistory:
    def test_keeps_the_newest_and_two_a_doubling(self):
        for spacing in (1, 7, 1000):
            there: list[int] = []
            for number in range(spacing, 400 * spacing, spacing):
                there = sorted(checkpoints_to_keep([*there, number]))
                assert there[-2:] == [each for each in (number - spacing, number) if each]
            assert len(there) <= 2 * np.log2(400) + 2
            for wanted in range(10 * spacing, 399 * spacing, spacing):
                nearest = max(each for each in there if each <= wanted)
                assert wanted / nearest < 2

    def test_old_ones_go_only_after_new_ones_are_there(self, tmp_path, trainer_of):
        history, trainer = CheckpointStore(tmp_path), trainer_of(small())
        for _ in range(12):
            trainer.advance()
            history.write(capture(trainer, 0.0))
            newest = history.newest(pytest.fail)
            assert newest is not None
            assert newest.images_seen == trainer.images_seen
        assert history.all() == sorted(checkpoints_to_keep(history.all()))
        names = {path.stem for path in tmp_path.iterdir()}
        assert len(names) * 2 == len(list(tmp_path.iterdir())), (
            "each has its checksum, and nothing else is there"
        )

    def test_what_a_killed_process_left_is_removed(self, tmp_path, trainer_of):
        history, trainer = CheckpointStore(tmp_path), trainer_of(small())
        trainer.advance()
        history.write(capture(trainer, 0.0))
        before = set(tmp_path.iterdir())
        (tmp_path / ".000000000016.safetensors.ab12_9xy.part").write_bytes(b"half")
        (tmp_path / "000000000016.sha256").write_text("0" * 64 + "  000000000016.safetensors\n")
        history.tidy()
        assert set(tmp_path.iterdir()) == before

    def test_only_checkpoints_written_here_make_way_for_newer_ones(self, tmp_path, trainer_of):
        """Files of the user's that are named like checkpoints neither go nor take a newer one's place."""
        history, trainer = CheckpointStore(tmp_path), trainer_of(small())
        trainer.advance()
        history.write(capture(trainer, 0.0))
        own = history.path(trainer.images_seen)
        mine = [history.path(number) for number in (17, 18, 19, 999_999_999)] + [tmp_path / "5.safetensors"]
        save_file({"mine": torch.ones(3)}, mine[0])
        mine[1].write_bytes(own.read_bytes())  # a copy is not what was written under its name
        save_file({"mine": torch.ones(3)}, mine[2])
        said = f"{hashlib.sha256(mine[2].read_bytes()).hexdigest()}  {mine[2].name}\n"
        mine[2].with_suffix(".sha256").write_text(said)
        mine[3].write_bytes(b"mine")
        mine[4].write_bytes(b"mine")
        before = {path: path.read_bytes() for path in (*mine, mine[2].with_suffix(".sha256"))}
        for step in range(12):
            trainer.advance()
            history.write(capture(trainer, 0.0))
            if step == 8:
                history.path(80).write_bytes(b"spoilt")
        assert {path: path.read_bytes() for path in before} == before
        numbers = {int(path.stem) for path in mine}
        left = [number for number in history.all() if number not in numbers]
        assert left[-2:] == [96, 104] and left == sorted(checkpoints_to_keep(left))
        assert 80 not in left, "one of ours that is damaged goes as ever"

    @pytest.mark.parametrize("suffix", [".safetensors", ".sha256"])
    def test_a_file_that_was_not_written_here_is_not_replaced(self, suffix, tmp_path, trainer_of):
        history, trainer = CheckpointStore(tmp_path), trainer_of(small())
        trainer.advance()
        mine = history.path(trainer.images_seen).with_suffix(suffix)
        mine.write_bytes(b"mine")
        with pytest.raises(ResourceError, match="was not written by ganzfeld"):
            history.write(capture(trainer, 0.0))
        assert mine.read_bytes() == b"mine" and list(tmp_path.iterdir()) == [mine]


@pytest.fixture(scope="module")
def trained(array_file, tmp_path_factory) -> gz.Run:
    """A run of 160 images, with checkpoints on the way, which stays as it is."""
    out = tmp_path_factory.mktemp("trained")
    return gz.train(array_file, recipe=small(), images=160, out=out, checkpoint_seconds=0.001)


@pytest.fixture
def half(trained, tmp_path) -> gz.Run:
    """A copy of it."""
    return gz.open_run(shutil.copytree(trained.path, tmp_path / "runs" / trained.path.name))


class TestGoingOn:
    def test_a_finished_run_is_left_as_it_is(self, half):
        before = {path: path.stat().st_mtime_ns for path in half.path.rglob("*") if path.is_file()}
        listener = Listener()
        again = gz.resume(half.path, callback=listener)
        after = {path: path.stat().st_mtime_ns for path in half.path.rglob("*") if path.is_file()}
        assert before == after, "so that it may lie on a disk that cannot be written"
        assert again.path == half.path
        assert "nothing to do" in listener.notes[-1]

    @pytest.mark.parametrize(
        "lost", ["model", "samples/160.png", "report.html", "reals.png", "journal.jsonl"]
    )
    def test_what_the_end_lacks_is_made(self, half, lost):
        path = half.path / lost
        model = (half.path / "model/last/generator.safetensors").read_bytes()
        shutil.rmtree(path) if path.is_dir() else path.unlink()
        (half.path / "report.html").unlink(missing_ok=True)
        gz.resume(half.path)
        assert (half.path / "report.html").exists()
        assert (half.path / "model/last/generator.safetensors").read_bytes() == model
        assert (half.path / "samples/160.png").exists()

    def test_a_copy_of_a_card_that_is_behind_its_model_is_written_anew(self, half):
        """As a process leaves it that is killed between the two files."""
        path = half.path / "model/last/card.json"
        whole = path.read_bytes()
        path.write_text(json.dumps(json.loads(whole) | {"images_seen": 80}))
        gz.resume(half.path)
        assert path.read_bytes() == whole

    def test_another_end(self, half, array_file, tmp_path):
        longer = gz.resume(half.path, images=320)
        assert longer.metadata.images == 320
        assert longer.metadata.resumed_at_images == 160
        assert longer.journal[-1]["images_seen"] == 320
        assert gz.resume(half.path).journal[-1]["images_seen"] == 320

    def test_without_a_checkpoint_and_a_model_it_begins_again(self, half):
        before = state_of(half)
        shutil.rmtree(half.path / "checkpoints")
        shutil.rmtree(half.path / "model" / "last")
        gz.resume(half.path)
        after = state_of(half)
        assert all(torch.equal(tensor, after[name]) for name, tensor in before.items())

    def test_a_model_whose_checkpoints_are_gone_is_not_overwritten(self, half):
        shutil.rmtree(half.path / "checkpoints")
        before = {path: path.stat().st_mtime_ns for path in half.path.rglob("*.*") if path.name != ".lock"}
        for images in (None, 320):
            with pytest.raises(DamagedError, match="lost its checkpoints") as caught:
                gz.resume(half.path, images=images)
            assert "--from 0" in caught.value.hint
        anew = gz.resume(half.path, from_images=0)
        assert anew.path != half.path and anew.position.images_seen == 160
        after = {path: path.stat().st_mtime_ns for path in half.path.rglob("*.*") if path.name != ".lock"}
        assert before == after

    def test_a_damaged_newest_one_is_told_and_made_again(self, half):
        good = state_of(half)
        newest = half.history.path(160)
        content = bytearray(newest.read_bytes())
        content[-10] ^= 4
        newest.write_bytes(content)
        listener = Listener()
        gz.resume(half.path, callback=listener)
        assert any(str(newest) in note and "damaged" in note for note in listener.notes)
        again = state_of(half)
        assert all(torch.equal(tensor, again[name]) for name, tensor in good.items())

    def test_settings_need_a_fork(self, half):
        with pytest.raises(UsageError, match="cannot change on the way"):
            gz.resume(half.path, settings=["ema=0.5"])

    def test_minutes_keep_the_plans_that_were_made(self, array_file, tmp_path):
        run = gz.train(array_file, recipe=small(), minutes=0.03, out=tmp_path)
        planned = run.metadata.horizons
        assert planned[0].images > planned[0].since > 0
        shutil.rmtree(run.path / "checkpoints")
        shutil.rmtree(run.path / "model" / "last")
        again = gz.resume(run.path)
        assert again.metadata.horizons[: len(planned)] == planned

    def test_a_new_end_keeps_the_way_to_it(self, half):
        """An extended run is the same from any earlier checkpoint on: each horizon counts since its time."""
        early = half.history.all()[0]
        extended = gz.resume(half.path, images=320)
        assert [each.images for each in extended.metadata.horizons] == [160, 320]
        fork = gz.resume(extended.path, from_images=early)
        ours, theirs = state_of(fork), state_of(extended)
        assert all(torch.equal(tensor, theirs[name]) for name, tensor in ours.items())

    @pytest.mark.parametrize("content", [None, "", "{}\n", '{"images_seen": "x"}\n{}\n', "[1]\n{}\n"])
    def test_a_lost_or_damaged_journal(self, half, content):
        journal = half.path / "journal.jsonl"
        journal.unlink() if content is None else journal.write_text(content)
        assert gz.resume(half.path).position.images_seen == 160, "finished: the journal is not needed"
        try:
            fork = gz.resume(half.path, from_images=half.history.all()[0])
        except DamagedError as error:
            assert content is not None
            assert str(journal.name) in error.message
        else:
            assert fork.position.images_seen == 160

    def test_a_forked_run_that_lost_its_checkpoint_does_not_begin_anew(self, half):
        fork = gz.resume(half.path, from_images=half.history.all()[0])
        shutil.rmtree(fork.path / "checkpoints")
        with pytest.raises(DamagedError, match="forked"):
            gz.resume(fork.path)


@pytest.fixture(scope="module")
def short(tmp_path_factory) -> tuple[Path, gz.Run]:
    """Images of its own and a run on them, which both stay as they are."""
    folder = tmp_path_factory.mktemp("short")
    np.save(folder / "mine.npy", blobs(40, 16))
    settings = {"recipe": small(), "images": 80, "out": folder / "runs"}
    return folder / "mine.npy", gz.train(folder / "mine.npy", **settings)


class TestOtherCircumstances:
    """FAULTS 11 and 26: refused, or told when asked for; never silent."""

    @pytest.fixture
    def own(self, short, tmp_path) -> Iterator[tuple[Path, gz.Run]]:
        """The images, which come back afterwards, and a copy of the run."""
        data, run = short
        content, status = data.read_bytes(), data.stat()
        yield data, gz.open_run(shutil.copytree(run.path, tmp_path / "runs" / run.path.name))
        data.write_bytes(content)
        os.utime(data, ns=(status.st_atime_ns, status.st_mtime_ns))

    def refused(self, run, what, kind: type[gz.GanzfeldError] = UsageError, **options):
        with pytest.raises(kind, match=what) as caught:
            gz.resume(run.path, images=160, **options)
        assert "--inexact" in caught.value.hint
        assert run.journal[-1]["images_seen"] == 80
        listener = Listener()
        gz.resume(run.path, images=160, inexact=True, callback=listener, **options)
        assert any(what in note for note in listener.notes)
        assert what in run.metadata.events[-1].what
        assert run.journal[-1]["images_seen"] == 160
        assert gz.resume(run.path, images=240).journal[-1]["images_seen"] == 240, "from now on it is exact"

    def test_other_images(self, own):
        data, run = own
        np.save(data, blobs(41, 16, seed=3))
        self.refused(run, "the images are not those of the run", DataError)

    def test_images_that_are_gone(self, own):
        data, run = own
        data.rename(data.with_name("elsewhere.npy"))
        with pytest.raises(DataError) as caught:
            gz.resume(run.path, images=160)
        assert "--data" in caught.value.hint
        moved = gz.resume(run.path, images=160, data=data.with_name("elsewhere.npy"))
        assert moved.journal[-1]["images_seen"] == 160
        assert gz.resume(run.path, images=240).journal[-1]["images_seen"] == 240

    def test_another_recipe(self, own):
        _, run = own
        fields = json.loads((run.path / "recipe.json").read_text())
        (run.path / "recipe.json").write_text(json.dumps(fields | {"ema": 0.5}))
        self.refused(run, "recipe.json was changed: ema=0.5")

    @pytest.mark.parametrize(
        ("name", "was"), [("torch", "2.9.9"), ("ganzfeld", "0.0.1"), ("threads", 64), ("chip", "Z80")]
    )
    def test_another_machine(self, own, monkeypatch, name, was):
        """The checkpoint says it was made elsewhere."""
        _, run = own
        newest = run.history.newest(pytest.fail)
        assert newest is not None
        then = newest.card.circumstances.model_copy(update={name: was})
        card = newest.card.model_copy(update={"circumstances": then})
        run.history.path(80).unlink()
        run.history.write(type(newest)(card, newest.tensors))
        self.refused(run, f"and was {was}")

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            *(("name", "../../escaped"), ("name", "/tmp/x"), ("checkpoint_seconds", -1)),
            *(("on_divergence", "wat"), ("max_bad", 7), ("minutes", 0), ("images", -3), ("seed", -1)),
            ("unknown", 1),
        ],
    )
    def test_facts_that_cannot_be(self, own, field, value):
        _, run = own
        metadata = json.loads((run.path / "run.json").read_text())
        (run.path / "run.json").write_text(json.dumps(metadata | {field: value}))
        with pytest.raises(DamagedError, match=field.replace("_", "[_-]")):
            gz.resume(run.path, images=160)

    def test_another_horizon(self, own):
        _, run = own
        metadata = json.loads((run.path / "run.json").read_text())
        (run.path / "run.json").write_text(json.dumps(metadata | {"horizons": [[0, 7]]}))
        with pytest.raises(UsageError, match="plans"):
            gz.resume(run.path, images=160)

    @pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
    @pytest.mark.parametrize("name", ["run.json", "checkpoints/000000000160.safetensors"])
    def test_a_pipe_hangs_nobody(self, own, name):
        _, run = own
        (run.path / name).unlink(missing_ok=True)
        os.mkfifo(run.path / name)
        if name == "run.json":
            with pytest.raises(DamagedError):
                gz.resume(run.path, images=160)
        else:
            run.history.newest(pytest.fail)

    def test_another_seed(self, own):
        _, run = own
        metadata = json.loads((run.path / "run.json").read_text())
        (run.path / "run.json").write_text(json.dumps(metadata | {"seed": 7}))
        with pytest.raises(UsageError, match="the seed is 7 now and was 0"):
            gz.resume(run.path, images=160)

    @pytest.mark.parametrize("name", ["recipe.json", "run.json"])
    @pytest.mark.parametrize("content", ["", "{}", "[1, 2]", '{"a": ', "[" * 100_000, "\x00\xff"])
    def test_damaged_files(self, own, name, content):
        _, run = own
        (run.path / name).write_text(content, encoding="latin-1")
        with pytest.raises(DamagedError, match=name.split(".")[0]):
            gz.resume(run.path)


class TestFork:
    def test_is_a_run_of_its_own_and_the_old_one_stays(self, half):
        before = {path: path.read_bytes() for path in half.path.rglob("*") if path.is_file()}
        at = half.history.all()[0]
        fork = gz.resume(half.path, from_images=at)
        assert {path: path.read_bytes() for path in half.path.rglob("*") if path.is_file()} == before
        assert fork.path != half.path
        assert fork.path.parent == half.path.parent
        old, new = (state_of(run) for run in (half, fork))
        assert all(torch.equal(tensor, new[name]) for name, tensor in old.items()), "the same way again"
        assert fork.metadata.resumed_at_images == at
        assert str(half.path) in fork.metadata.events[0].what
        assert gz.resume(fork.path).path == fork.path

    def test_may_change_the_recipe(self, half):
        at = half.history.all()[0]
        fork = gz.resume(half.path, from_images=at, settings={"generator.optimizer.lr": 1e-5})
        assert fork.recipe.generator.optimizer.lr == 1e-5
        assert "generator.optimizer.lr=1e-05" in fork.metadata.events[0].what
        old, new = (state_of(run) for run in (half, fork))
        assert any(not torch.equal(tensor, new[name]) for name, tensor in old.items())
        with pytest.raises(UsageError, match="other networks"):
            gz.resume(half.path, from_images=at, settings={"generator.width": 9})

    def test_from_the_beginning_the_networks_may_change_too(self, half):
        fork = gz.resume(half.path, from_images=0, settings={"generator.width": 12})
        assert fork.recipe.generator.width == 12
        assert fork.journal[0]["images_seen"] == 8 and fork.journal[-1]["images_seen"] == 160
        assert "at 0 images with generator.width=12" in fork.metadata.events[0].what
        same = gz.resume(half.path, from_images=0)
        old, new = (state_of(run) for run in (half, same))
        assert all(torch.equal(tensor, new[name]) for name, tensor in old.items())

    def test_anew_and_without_a_checkpoint_it_begins_anew_again(self, half):
        fork = gz.resume(half.path, from_images=0)
        before = state_of(fork)
        shutil.rmtree(fork.path / "checkpoints")
        shutil.rmtree(fork.path / "model" / "last")
        gz.resume(fork.path)
        assert all(torch.equal(tensor, before[name]) for name, tensor in state_of(fork).items())

    def test_where_there_is_no_checkpoint(self, half):
        with pytest.raises(UsageError, match="no checkpoint at 3") as caught:
            gz.resume(half.path, from_images=3)
        assert "160" in caught.value.hint

    def test_from_the_end_needs_another_end(self, half):
        with pytest.raises(UsageError, match="budget"):
            gz.resume(half.path, from_images=160)
        assert gz.resume(half.path, from_images=160, images=240).journal[-1]["images_seen"] == 240
        assert len(list(half.path.parent.iterdir())) == 2, "what was refused left no folder"
