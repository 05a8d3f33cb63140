"""FAULTS 33, 34, 35: folders that are deleted, moved, replaced or links, and runs inside their own data."""

import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

import ganzfeld as gz
from ganzfeld.errors import GanzfeldError, Interrupted, ResourceError
from ganzfeld.lock import locked
from ganzfeld.own_folder import LostFolder, OwnFolder
from ganzfeld.run_layout import TRAINING_NAMES
from ganzfeld.runs.run import Run
from ganzfeld.training.callbacks import TrainCallback
from tests.training.conftest import small

MANY = 1_000_000
"""Images of a run that is to be ended from outside."""

UNFINISHED = shutil.ignore_patterns(".*.part")


class Meddler(TrainCallback):
    """Does something to a run folder once it has a checkpoint, and stops the training a second later."""

    def __init__(self, meddle: Callable[[Path], object]) -> None:
        self.meddle = meddle
        self.path: Path | None = None
        self.notes: list[str] = []
        self.stopped = False

    def started(self, run, summary):
        self.run = run

    def noted(self, text):
        self.notes.append(text)

    def read(self, progress):
        if self.path is not None and not self.stopped:
            self.stopped = True
            signal.raise_signal(signal.SIGINT)
        elif self.path is None and self.run.history.all():
            self.path = self.run.path
            self.meddle(self.path)


def begin(data: Path, out: Path, callback: TrainCallback, images: int = MANY) -> Run:
    return gz.train(data, recipe=small(), images=images, out=out, checkpoint_seconds=0.1, callback=callback)


def contents(folder: Path) -> dict[str, bytes | None]:
    """What is in a folder; a file is told as one without a name, and what is missing as nothing."""
    if folder.is_file():
        return {"": folder.read_bytes()}
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
    }


def delete(path: Path) -> None:
    """``rm -rf path``, again as long as something is being written into it."""
    while path.exists():
        shutil.rmtree(path, ignore_errors=True)


def empty(path: Path) -> None:
    """``rm -rf path/*``, which leaves what begins with a dot."""
    while list(path.glob("[!.]*")):  # until the recipe is gone, what went before it may be made again
        for inner in path.glob("[!.]*"):
            delete(inner) if inner.is_dir() else inner.unlink(missing_ok=True)


class TestLost:
    """FAULTS 34: noticed at the next write, never made again, and no command named that cannot work."""

    @pytest.mark.parametrize(
        "meddle",
        [delete, lambda path: delete(path.parent), empty],
        ids=["deleted", "its parent deleted", "emptied"],
    )
    def test_deleted(self, array_file, tmp_path, meddle):
        meddler = Meddler(meddle)
        with pytest.raises(ResourceError, match="was deleted while") as ended:
            begin(array_file, tmp_path / "runs", meddler)
        assert meddler.path is not None
        assert not (meddler.path / "recipe.json").exists() and not (meddler.path / "checkpoints").exists()
        assert "ganzfeld" not in ended.value.hint and "new one" in ended.value.hint

    @pytest.mark.parametrize(
        "moved",
        [
            lambda path, aside: path.rename(aside),
            lambda path, aside: path.parent.rename(aside),
            lambda path, aside: (path.rename(aside), path.mkdir()),
            lambda path, aside: (path.rename(aside), shutil.copytree(aside, path, ignore=UNFINISHED)),
        ],
        ids=["moved", "its parent moved", "replaced by an empty folder", "replaced by a copy"],
    )
    def test_moved(self, array_file, tmp_path, moved):
        aside, left = tmp_path / "aside", {}

        def meddle(path: Path) -> None:
            moved(path, aside)
            left.update(contents(path))

        meddler = Meddler(meddle)
        with pytest.raises(LostFolder, match=r"was moved to .*aside.* while it was in use") as ended:
            begin(array_file, tmp_path / "runs", meddler)
        assert meddler.path is not None and ended.value.exit_code == 6
        assert contents(meddler.path) == left, "nothing came to the old place"
        place = next(aside.rglob("recipe.json")).parent
        assert ended.value.hint.endswith(f"ganzfeld resume {place}"), ended.value.hint
        seen = Run(place).position.images_seen
        assert gz.resume(place, images=seen + 8).position.images_seen == seen + 8, "the command works"

    def test_a_run_that_is_reached_through_links_is_fine(self, array_file, tmp_path):
        (tmp_path / "disk").mkdir()
        (tmp_path / "runs").symlink_to(tmp_path / "disk")
        run = begin(array_file, tmp_path / "runs", TrainCallback(), images=16)
        (tmp_path / "mine").symlink_to(run.path)
        assert gz.resume(tmp_path / "mine", images=32).position.images_seen == 32
        assert sorted(path.name for path in tmp_path.iterdir()) == ["disk", "mine", "runs"]

    def test_folders_and_the_journal_that_go_come_again(self, array_file, tmp_path):
        """What lies in the run folder can be missed: what follows is written where readers look for it."""

        def meddle(path: Path) -> None:
            delete(path / "samples")
            (path / "journal.jsonl").unlink()

        meddler = Meddler(meddle)
        with pytest.raises(Interrupted, match="saved in"):
            begin(array_file, tmp_path, meddler)
        assert meddler.path is not None
        run = Run(meddler.path)
        assert run.journal[-1]["images_seen"] == run.position.images_seen
        assert str(run.position.images_seen) in [sheet.stem for sheet in run.sample_files]


@pytest.fixture(scope="module")
def finished(array_file, tmp_path_factory) -> Path:
    return begin(array_file, tmp_path_factory.mktemp("runs"), TrainCallback(), images=64).path


class TestLinks:
    """FAULTS 33: nothing is written or deleted through a link inside a run folder."""

    @pytest.fixture
    def mine(self, tmp_path) -> Path:
        """A folder of the user's, with files that have the names of a run's."""
        folder = tmp_path / "mine"
        folder.mkdir()
        for name in ("999999.png", "generator.safetensors", "card.json", ".x.part", "notes.txt"):
            (folder / name).write_text("mine")
        for name in ("last", "best"):
            (folder / name).mkdir()
            (folder / name / "card.json").write_text("mine")
        (folder / "000000000001.sha256").write_text("mine")
        return folder

    @pytest.mark.parametrize("name", [*sorted(TRAINING_NAMES), "model/last", "model/best", "samples/0.png"])
    def test_resume_touches_nothing(self, finished, mine, tmp_path, name):
        path = tmp_path / "run"
        shutil.copytree(finished, path)
        aside = tmp_path / "aside"
        before = contents(mine)
        if (path / name).is_dir():
            (path / name).rename(aside)
            (path / name).symlink_to(mine)
        else:
            if (path / name).exists():
                (path / name).rename(aside)
            (path / name).symlink_to(mine / "notes.txt" if name not in ("recipe.json", "run.json") else aside)
        kept = contents(aside)
        ours = contents(path)
        with pytest.raises(GanzfeldError, match="is a link") as refused:
            gz.resume(path, images=128)
        assert refused.value.exit_code in (5, 6)
        assert contents(mine) == before and contents(path) == ours
        assert contents(aside) == kept
        assert (path / name).is_symlink()

    @pytest.mark.parametrize("name", ["samples", "checkpoints", "model/last", "report.html", "verdict.json"])
    def test_links_that_come_while_it_trains(self, array_file, mine, tmp_path, name):
        before = contents(mine)

        def meddle(path: Path) -> None:
            aside = tmp_path / "aside"
            if (path / name).exists():
                (path / name).rename(aside)
            (path / name).symlink_to(mine / "notes.txt" if "." in name else mine)

        with pytest.raises(GanzfeldError, match="is a link") as ended:
            begin(array_file, tmp_path / "runs", Meddler(meddle))
        assert ended.value.exit_code in (5, 6)
        assert contents(mine) == before

    def test_a_lock_that_is_a_file_of_the_users_keeps_its_text(self, tmp_path):
        """Also under a second name: only what says that it is a lock, and is one file, is written into."""
        mine = tmp_path / "mine.txt"
        for text in ("my notes\n", "process 1 of my notes\n", ""):
            mine.write_text(text)
            for lock in (mine, tmp_path / "lock"):
                if lock != mine:
                    os.link(mine, lock)
                    text = mine.read_text()
                with locked(lock, pytest.fail):
                    pass
                if text or lock != mine:
                    assert mine.read_text() == text
            (tmp_path / "lock").unlink()

    @pytest.mark.parametrize("to", ["mine.txt", "nothing", "."])
    def test_a_lock_that_is_a_link(self, tmp_path, to):
        (tmp_path / "mine.txt").write_text("mine")
        (tmp_path / "lock").symlink_to(tmp_path / to)
        with pytest.raises(ResourceError, match="is a link"), locked(tmp_path / "lock", pytest.fail):
            pass
        assert (tmp_path / "mine.txt").read_text() == "mine" and not (tmp_path / "nothing").exists()

    def test_what_is_not_a_file(self, tmp_path):
        own = OwnFolder(tmp_path)
        (tmp_path / "folder").mkdir()
        os.mkfifo(tmp_path / "pipe")
        for name in ("folder", "pipe"):
            for action in (own.remove, own.appending, lambda name: own.write_bytes(name, b"")):
                with pytest.raises(ResourceError, match="not a regular file"):
                    action(name)
        (tmp_path / "file").write_text("mine")
        with pytest.raises(ResourceError, match="is a file, but ganzfeld needs a folder"):
            (own / "file").write_bytes("x", b"")
        assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder", "pipe"]


class TestFilesOfTheUsers:
    """In a run folder only what carries our mark, or has a name and a form that are ours, is deleted."""

    def test_resume_deletes_nothing_because_of_its_name_alone(self, array_file, tmp_path):
        run = begin(array_file, tmp_path, TrainCallback(), images=64)
        mine = [
            run.path / name
            for name in (
                "samples/99999.png",
                ".x.part",
                ".x.0a1b2c3d.part",
                ".recipe.json.part",
                "samples/.foo.part",
                "samples/.7.png.backup.part",
                "checkpoints/.mine.safetensors.0a1b2c3d.part",
                "checkpoints/mine.sha256",
                "checkpoints/000000009999.sha256",
            )
        ]
        for path in mine:
            path.write_bytes((run.path / "reals.png").read_bytes())
        ours = [run.path / name for name in ("samples/88888.png", "samples/.80.png.0a1b2c3d.part")]
        for path in ours:
            path.write_bytes((run.path / "samples" / "64.png").read_bytes())
        told = Meddler(lambda path: None)
        told.stopped = True  # it only listens
        gz.resume(run.path, images=128, callback=told)
        assert [path for path in mine if not path.exists()] == []
        assert [path for path in ours if path.exists()] == []
        (note,) = [note for note in told.notes if "did not write" in note]
        assert "99999.png" in note

    def test_a_sheet_does_not_replace_an_image(self, array_file, tmp_path):
        run = begin(array_file, tmp_path, TrainCallback(), images=64)
        ours, mine = (run.path / "samples" / f"{images_seen}.png" for images_seen in (64, 128))
        first = ours.read_bytes()
        mine.write_bytes((run.path / "reals.png").read_bytes())
        listener = Meddler(lambda path: None)
        listener.stopped = True
        gz.resume(run.path, images=128, callback=listener)
        assert mine.read_bytes() == (run.path / "reals.png").read_bytes()
        (note,) = [note for note in listener.notes if "was not saved" in note]
        assert "128.png" in note
        run.write_sheet(64, b"\x89PNG\r\n\x1a\n" + bytes(40), listener.noted)
        assert ours.read_bytes() != first, "one of ours is replaced"

    def test_a_checkpoint_does_not_replace_a_file(self, array_file, tmp_path):
        run = begin(array_file, tmp_path, TrainCallback(), images=64)
        mine = run.history.path(128)
        save_file({"mine": torch.ones(3)}, mine)
        with pytest.raises(ResourceError, match=r"128.safetensors has the name of a checkpoint") as caught:
            gz.resume(run.path, images=128)
        assert str(run.path) in caught.value.hint and load_file(mine)["mine"].sum() == 3
        mine.rename(tmp_path / "mine")
        assert gz.resume(run.path).position.images_seen == 128


class TestInsideTheData:
    """FAULTS 35: a run is no data, wherever it lies."""

    def test_a_run_goes_on_though_it_lies_inside_its_data(self, folder, tmp_path):
        data = tmp_path / "photos"
        shutil.copytree(folder, data)
        before = gz.open_images(data, size=(16, 16))
        meddler = Meddler(lambda path: None)
        with pytest.raises(Interrupted, match="saved in"):
            begin(data, data / "inner" / "runs", meddler)
        assert meddler.path is not None
        assert [note for note in meddler.notes if "lies inside" in note and "left out" in note]
        seen = Run(meddler.path).position.images_seen
        told = Meddler(lambda path: None)
        resumed = gz.resume(meddler.path, images=seen + 8, callback=told)
        assert resumed.position.images_seen == seen + 8
        after = gz.open_images(data, size=(16, 16))
        assert after.content_hash == before.content_hash
        assert [note for note in after.notes if "1 run folder left out" in note]
        assert gz.open_images(meddler.path / "samples", size=(16, 16)).num_pictures, "they are asked for"
