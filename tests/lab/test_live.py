"""The short run in the cache, and the user's run: both can be loaded, and neither is changed."""

import json
import os
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from ganzfeld.data.cache.prune import lab_runs, prune_lab_runs
from ganzfeld.data.cache.store import cache_root
from ganzfeld.errors import DamagedError, DataError, TrainingFailed, UsageError
from ganzfeld.lab import Live, Training, live
from ganzfeld.lock import locked
from ganzfeld.runs import Run
from ganzfeld.training import train
from ganzfeld.training.snapshot import live_tensors
from ganzfeld.training.trainer import Trainer
from tests.cli.test_cli import call
from tests.conftest import blobs
from tests.training.conftest import small

pytestmark = pytest.mark.machine


def numbers(trainer: Trainer) -> list[torch.Tensor]:
    return [tensor.clone() for tensor in live_tensors(trainer).values()]


def same(some: list[torch.Tensor], others: list[torch.Tensor]) -> bool:
    return all(map(torch.equal, some, others))


@pytest.fixture(scope="module")
def short(short_training: Training) -> Live:
    return live(short_training)


class TestShortTraining:
    def test_is_made_once(self, short: Live, short_training: Training):
        kept = [path.stat().st_mtime_ns for path in files_of(short)]
        again = live(short_training)
        assert [path.stat().st_mtime_ns for path in files_of(short)] == kept
        assert same(numbers(again.trainer()), numbers(short.trainer()))

    def test_can_be_entered_where_it_says(self, short: Live):
        assert short.stages == [0, 32, 128, 512]
        assert [short.trainer(stage).images_seen for stage in short.stages] == short.stages
        assert [entry["images_seen"] for entry in short.journal] == list(range(8, 513, 8))

    def test_goes_on_from_a_stage_as_it_did(self, short: Live):
        trainer = short.trainer(128)
        while trainer.images_seen < 512:
            trainer.advance()
        assert same(numbers(trainer), numbers(short.trainer(512)))

    def test_is_not_changed_by_who_enters_it(self, short: Live):
        before = numbers(short.trainer())
        mine = short.trainer()
        mine.advance()
        assert not same(numbers(mine), before)
        assert same(numbers(short.trainer()), before)

    def test_two_at_once_make_one(self, short_training: Training):
        wanted, notes = replace(short_training, images=64, seed=7), []

        def note(done: int, total: int, what: str) -> None:
            notes.append((threading.get_ident(), done, what))

        threads = [threading.Thread(target=live, args=(wanted,), kwargs={"progress": note}) for _ in "ab"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        steps = [(who, done) for who, done, what in notes if what == "training for the lab"]
        assert len({who for who, _ in steps}) == 1
        assert [done for _, done in steps] == list(range(1, 9))

    @pytest.mark.parametrize("what", ["*.safetensors", "journal.jsonl"])
    def test_what_is_damaged_is_made_anew(self, short_training: Training, what: str):
        wanted = replace(short_training, images=64, seed=8)
        before = live(wanted)
        victim = next(path for path in files_of(before) if path.match(what))
        victim.unlink() if what == "journal.jsonl" else victim.write_bytes(victim.read_bytes()[:-9])
        assert same(numbers(live(wanted).trainer()), numbers(before.trainer()))

    def test_one_that_ends_in_no_numbers_is_told(self, short: Live, monkeypatch: pytest.MonkeyPatch):
        whole = Trainer.real
        monkeypatch.setattr(Trainer, "real", lambda self: whole(self) * (torch.nan if self.index > 3 else 1))
        with pytest.raises(TrainingFailed, match="stopped being finite after 40 images"):
            short.variant(seed=9, images=64)
        monkeypatch.undo()
        assert short.variant(seed=9, images=64).stages[-1] == 64, "nothing of it was taken for whole"

    def test_variants_differ_in_what_is_asked(self, short: Live):
        assert short.variant() is short
        other = short.variant({"discriminator.normalisation": "batch"}, images=64)
        assert other.recipe.discriminator.normalisation == "batch"
        assert other.stages[-1] == 64
        assert "discriminator.normalisation=batch" in other.place
        assert not same(numbers(short.variant(seed=1, images=64).trainer(0)), numbers(short.trainer(0)))

    def test_images_and_latents(self, short: Live):
        real, latents = short.real(300), short.latents(5, seed=2)
        assert real.shape == (300, 3, 16, 16)
        assert -1 <= float(real.min()) < float(real.max()) <= 1
        assert len(short.real(200).flatten(1).unique(dim=0)) == 200, "none twice"
        assert latents.shape == (5, 16)
        assert torch.equal(latents, short.latents(5, seed=2))

    def test_is_listed_and_pruned_with_the_cache(
        self, short_training: Training, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setenv("GANZFELD_CACHE", str(tmp_path))
        wanted = replace(short_training, images=64)
        there = live(wanted)
        first = numbers(there.trainer())
        (kept,) = lab_runs(tmp_path)
        assert "1 short run of the lab" in call("cache", "list")[1]
        assert prune_lab_runs(tmp_path, 86_400) == []
        with locked(kept.folder / "lock", pytest.fail):
            assert prune_lab_runs(tmp_path, 0) == [], "one that is being made stays"
        assert json.loads(call("cache", "prune", "--all", "--json")[1])["removed_trainings"] == 1
        assert lab_runs(tmp_path) == []
        assert same(numbers(there.trainer()), first), "what is in use stays usable"
        assert same(numbers(live(wanted).trainer()), first)


def files_of(short: Live) -> list[Path]:
    folder = short.history.folder.parent
    assert folder.is_relative_to(cache_root())
    return sorted(path for path in folder.rglob("*") if path.is_file() and path.name != "lock")


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("photos") / "mine.npy"
    np.save(path, blobs(60, 16, seed=5))
    return path


@pytest.fixture(scope="module")
def mine(photos: Path, short_training: Training, tmp_path_factory: pytest.TempPathFactory) -> Run:
    out = tmp_path_factory.mktemp("runs")
    return train(photos, recipe=short_training.recipe, images=64, out=out, route="plain", seed=4)


class TestRun:
    def test_is_measured_where_it_stands_and_left_alone(self, mine: Run):
        before = {path: path.read_bytes() for path in mine.path.rglob("*") if path.is_file()}
        entered = live(mine.path)
        assert entered.of_user
        assert entered.place == f"{mine.path} after 64 images"
        assert entered.stages == [0, 64]
        trainer = entered.trainer()
        state = mine.history.read(64).tensors
        assert all(torch.equal(state[name], tensor) for name, tensor in live_tensors(trainer).items())
        trainer.advance()
        assert trainer.images_seen == 72
        assert {path: path.read_bytes() for path in mine.path.rglob("*") if path.is_file()} == before

    def test_a_variant_is_a_short_training_by_its_recipe(self, mine: Run):
        same_recipe = live(mine).variant()
        assert not same_recipe.of_user
        assert same_recipe.recipe == mine.recipe
        assert same_recipe.stages[-1] == 64

    def test_without_a_checkpoint(self, mine: Run, tmp_path: Path):
        for name in ("recipe.json", "run.json"):
            (tmp_path / name).write_bytes((mine.path / name).read_bytes())
        with pytest.raises(DamagedError, match="no checkpoint") as caught:
            live(tmp_path)
        assert "ganzfeld resume" in caught.value.hint

    def test_with_classes(self, by_class: Path, tmp_path: Path):
        told = train(by_class, recipe=small(classes="projection"), images=16, out=tmp_path, route="plain")
        with pytest.raises(UsageError, match="trained with classes") as caught:
            live(told)
        assert "--set classes=none" in caught.value.hint

    def test_no_run(self, tmp_path: Path):
        with pytest.raises(UsageError):
            live(tmp_path)

    def test_images_that_are_gone_or_others(self, mine: Run, photos: Path):
        content = photos.read_bytes()
        try:
            photos.unlink()
            with pytest.raises(DataError, match="can no longer be read"):
                live(mine)
            np.save(photos, blobs(60, 16, seed=6))
            os.utime(photos, ns=(1, 1))
            with pytest.raises(DataError, match="are not those"):
                live(mine)
        finally:
            photos.write_bytes(content)
