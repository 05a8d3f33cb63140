"""The cache: found again, resumed, repaired, shared, and never more trouble than it is worth."""

import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ganzfeld.data import open_images
from ganzfeld.data.cache.prune import cached_sets, prune
from ganzfeld.data.cache.store import cache_root
from ganzfeld.data.images import ImageDataset
from ganzfeld.data.ingest import ingest as ingest_module
from ganzfeld.data.ingest.worker_pool import WorkerPool
from ganzfeld.data.kinds.image import Kind
from ganzfeld.errors import ResourceError
from tests.data.making import encoded, fill, noise

pytestmark = pytest.mark.machine

SIZE = (16, 16)
HANGS_S = 600.0
"""What takes longer hangs, however busy the machine is."""
posix = pytest.mark.skipif(os.name == "nt", reason="POSIX signals")


def opened(path: Path, workers: int = 0, **settings: Any) -> ImageDataset:
    return open_images(path, SIZE, workers=workers, **settings)


def shard_files(cache: Path) -> dict[str, int]:
    """When every shard was written."""
    return {str(path): path.stat().st_mtime_ns for path in cache.rglob("*.npy")}


class Decodings:
    """Counts the images that are really decoded."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        real = Kind.write

        def counted(kind: Kind, *arguments: Any) -> object:
            self.count += 1
            return real(kind, *arguments)

        monkeypatch.setattr(Kind, "write", counted)


@pytest.fixture
def decodings(monkeypatch: pytest.MonkeyPatch) -> Decodings:
    return Decodings(monkeypatch)


class TestFoundAgain:
    def test_an_unchanged_folder_is_not_decoded_again(self, tmp_path: Path, decodings: Decodings):
        fill(tmp_path / "set", 5)
        first = opened(tmp_path / "set")
        second = opened(tmp_path / "set")
        assert decodings.count == 5
        assert first.content_hash == second.content_hash

    def test_wherever_it_is_moved(self, tmp_path: Path, decodings: Decodings):
        opened(fill(tmp_path / "set", 5))
        (tmp_path / "set").rename(tmp_path / "renamed")
        opened(tmp_path / "renamed")
        assert decodings.count == 5

    def test_touched_files_are_read_but_not_decoded(self, tmp_path: Path, decodings: Decodings):
        opened(fill(tmp_path / "set", 5))
        for file in (tmp_path / "set").iterdir():
            os.utime(file, ns=(1, 1))
        opened(tmp_path / "set")
        assert decodings.count == 5

    def test_a_folder_that_grew_costs_what_is_new(self, tmp_path: Path, decodings: Decodings):
        opened(fill(tmp_path / "set", 5))
        fill(tmp_path / "set", 2, begin=3)  # one of them replaced by itself
        grown = opened(tmp_path / "set")
        fresh = opened(tmp_path / "set", cache_dir=tmp_path / "other cache")
        assert decodings.count == 5 + 0 + 5
        fill(tmp_path / "set", 1, begin=100)
        assert opened(tmp_path / "set").num_pictures == 6
        assert decodings.count == 11
        assert grown.content_hash == fresh.content_hash

    def test_grey_and_colour_survive_the_reuse(self, tmp_path: Path):
        (tmp_path / "set").mkdir()
        (tmp_path / "set" / "0.png").write_bytes(encoded(noise(16, 16, 1)))
        assert opened(tmp_path / "set").channels == 1
        (tmp_path / "set" / "1.png").write_bytes(encoded(noise(16, 16, 3)))
        grown, fresh = opened(tmp_path / "set"), opened(tmp_path / "set", cache_dir=tmp_path / "other")
        np.testing.assert_array_equal(grown.batch(np.arange(2)), fresh.batch(np.arange(2)))
        (tmp_path / "set" / "1.png").unlink()
        fill(tmp_path / "set", 0)
        assert opened(tmp_path / "set").channels == 1

    @pytest.mark.parametrize("settings", [{"channels": 1}, {"channels": 3}, {"background": "black"}])
    def test_other_settings_are_another_set(self, tmp_path: Path, cache: Path, settings: dict):
        opened(fill(tmp_path / "set", 2))
        opened(tmp_path / "set", **settings)
        assert len(cached_sets(cache)) == 2

    def test_changed_content_of_the_same_size(self, tmp_path: Path):
        file = fill(tmp_path / "set", 2) / "00000.png"
        before = opened(tmp_path / "set").content_hash
        content = encoded(noise(16, 16, seed=99))
        file.write_bytes(content.ljust(file.stat().st_size, b"\0"))
        assert opened(tmp_path / "set").content_hash != before


class TestGathering:
    def test_across_shards(self, tmp_path: Path):
        for index in range(90):
            (tmp_path / f"{index:03}.png").write_bytes(encoded(np.full((128, 128, 3), index, np.uint8)))
        dataset = open_images(tmp_path, (128, 128), workers=0)
        assert dataset.manifest.shards == [3] * 30
        chosen = np.array([89, 0, 84, 85, 85, 3])
        assert dataset.batch(chosen)[:, 0, 0, 0].tolist() == chosen.tolist()
        assert dataset.batch(chosen).shape == (6, 128, 128, 3)

    def test_workers_and_no_workers_agree(self, tmp_path: Path):
        fill(tmp_path / "set", 70)
        alone = opened(tmp_path / "set")
        crew = opened(tmp_path / "set", workers=2, cache_dir=tmp_path / "other")
        assert alone.content_hash == crew.content_hash
        np.testing.assert_array_equal(alone.batch(np.arange(70)), crew.batch(np.arange(70)))


class TestInterrupted:
    def script(self, source: Path) -> list[str]:
        code = f"""
            from ganzfeld.data import open_images
            def progress(done, total, what):
                print(done, flush=True)
            open_images({str(source)!r}, (128, 128), workers=1, progress=progress)
        """
        return [sys.executable, "-c", textwrap.dedent(code)]

    def test_what_was_decoded_before_a_kill_is_kept(self, tmp_path: Path, cache: Path):
        source = fill(tmp_path / "set", 300, side=128)
        process = subprocess.Popen(self.script(source), stdout=subprocess.PIPE)
        while not list(cache.glob("sets/*/0*.json")):
            assert process.poll() is None
            time.sleep(0.01)
        process.kill()
        process.communicate()
        before = shard_files(cache)
        dataset = open_images(source, (128, 128), workers=0)
        after = shard_files(cache)
        assert before and len(after) > len(before)
        assert all(after[path] == written for path, written in before.items())
        fresh = open_images(source, (128, 128), workers=0, cache_dir=tmp_path / "other")
        assert dataset.content_hash == fresh.content_hash
        assert not list(cache.rglob("*.part"))

    @posix
    def test_ctrl_c_leaves_no_process_behind(self, tmp_path: Path):
        source = fill(tmp_path / "set", 300, side=128)
        process = subprocess.Popen(
            self.script(source), stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
        )
        assert process.stdout and process.stdout.readline()
        os.killpg(process.pid, signal.SIGINT)
        process.communicate(timeout=HANGS_S)
        end_by = time.monotonic() + HANGS_S
        with pytest.raises(ProcessLookupError):
            while time.monotonic() < end_by:  # one that was just being started ends by itself
                os.killpg(process.pid, 0)
                time.sleep(0.05)


class TestDamaged:
    @pytest.mark.parametrize("suffix", [".npy", ".records", "records.bin", "entries.bin", "manifest.json"])
    def test_a_cut_file_is_noticed_and_made_again(self, tmp_path: Path, cache: Path, suffix: str):
        source = fill(tmp_path / "set", 5)
        before = opened(source)
        file = next(cache.rglob(f"*{suffix}"))
        os.truncate(file, file.stat().st_size // 2)
        after = opened(source)
        assert after.content_hash == before.content_hash
        np.testing.assert_array_equal(after.batch(np.arange(5))[0], noise(16, 16, seed=0))

    def test_a_missing_shard(self, tmp_path: Path, cache: Path):
        source = fill(tmp_path / "set", 5)
        before = opened(source).content_hash
        next(cache.rglob("*.npy")).unlink()
        assert opened(source).content_hash == before


class TestShared:
    def test_two_processes_decode_once(self, tmp_path: Path, cache: Path):
        source = fill(tmp_path / "set", 300, side=64)
        code = f"""
            from ganzfeld.data import open_images
            print(open_images({str(source)!r}, (64, 64), workers=1).content_hash)
        """
        command = [sys.executable, "-c", textwrap.dedent(code)]
        both = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(2)]
        ended = [process.communicate() for process in both]
        assert [error for _, error in ended] == [b"", b""]
        assert len({output for output, _ in ended}) == 1
        assert len(cached_sets(cache)) == 1


class TestWorkers:
    """Real processes that really die."""

    def disturbed(
        self, source: Path, monkeypatch: pytest.MonkeyPatch, number: int, times: int
    ) -> ImageDataset:
        """Opens a set; ``times`` times, when a worker begins with entry 40 or later, it is sent a signal."""
        sent: list[int] = []
        real = WorkerPool._listen

        def listen(crew: WorkerPool, waiting: Any) -> None:
            real(crew, waiting)
            worker = crew._workers[0]
            process = worker.process.pid
            if len(sent) < times and process not in sent and worker.at is not None and worker.at >= 40:
                os.kill(process, number)
                sent.append(process)

        monkeypatch.setattr(WorkerPool, "_listen", listen)
        dataset = opened(source, workers=1)
        assert len(sent) == times
        return dataset

    @posix
    def test_one_killed_from_outside_costs_nothing(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
        dataset = self.disturbed(fill(tmp_path / "set", 80, side=256), monkeypatch, signal.SIGKILL, 1)
        assert dataset.num_pictures == 80

    @posix
    def test_an_image_that_kills_it_is_given_up(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
        dataset = self.disturbed(fill(tmp_path / "set", 80, side=256), monkeypatch, signal.SIGKILL, 2)
        assert dataset.num_pictures == 79
        assert "crashes the decoder" in dataset.unusable[0].reason

    @posix
    def test_an_image_that_hangs_it_is_given_up(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(ingest_module, "WorkerPool", partial(WorkerPool, patience_s=2.0))
        dataset = self.disturbed(fill(tmp_path / "set", 80, side=256), monkeypatch, signal.SIGSTOP, 2)
        assert dataset.num_pictures == 79
        assert "more than 2 s" in dataset.unusable[0].reason

    def test_a_script_without_a_main_guard(self, tmp_path: Path):
        """Workers must not run the user's script again, which would train again in each of them."""
        source = fill(tmp_path / "set", 70)
        script = tmp_path / "train.py"
        script.write_text(
            f"from ganzfeld.data import open_images\nprint('once')\nopen_images({str(source)!r}, workers=2)\n"
        )
        ended = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True)
        assert ended.stdout.split() == ["once"]

    def test_the_user_s_modules_are_not_imported(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
        source = fill(tmp_path / "set", 70)
        (tmp_path / "random.py").write_text("raise SystemExit('the wrong one')")
        monkeypatch.chdir(tmp_path)
        assert opened(source, workers=1).num_pictures == 70


class TestCannotBeWritten:
    def test_a_file_where_the_folder_should_be(self, tmp_path: Path):
        (tmp_path / "cache").write_text("")
        with pytest.raises(ResourceError, match="cache"):
            opened(fill(tmp_path / "set", 2), cache_dir=tmp_path / "cache" / "inside")

    @pytest.mark.skipif(os.name == "nt", reason="POSIX limits")
    @pytest.mark.parametrize("workers", [0, 1])
    def test_a_full_disk(self, tmp_path: Path, cache: Path, workers: int):
        """A limit on the size of files stands in for a small disk: the system refuses to write on."""
        source = fill(tmp_path / "set", 70, side=64)
        code = f"""
            import resource
            resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
            from ganzfeld.data import open_images
            from ganzfeld.errors import ResourceError
            try:
                open_images({str(source)!r}, (64, 64), workers={workers})
            except ResourceError as error:
                print(error.message)
        """
        ended = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True)
        assert "no room left" in ended.stdout and not ended.stderr
        assert not list(cache.rglob("*.part")) and not list(cache.rglob("manifest.json"))
        assert opened(source).content_hash

    def test_the_place_is_told(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
        assert cache_root(tmp_path) == tmp_path
        monkeypatch.setenv("GANZFELD_CACHE", str(tmp_path / "env"))
        assert cache_root() == tmp_path / "env"
        monkeypatch.delenv("GANZFELD_CACHE")
        assert "ganzfeld" in str(cache_root())


class TestPruning:
    def test_all_old_or_beyond_a_limit(self, tmp_path: Path, cache: Path):
        for name in "abc":
            opened(fill(tmp_path / name, 2, begin=ord(name)))
        newest, middle, oldest = cached_sets(cache)
        for age, each in ((10, middle), (20, oldest)):
            for path in (each.folder, each.folder / "manifest.json"):
                os.utime(path, (0, time.time() - age * 86_400))
        assert [each.folder for each in prune(cache, older_than_s=15 * 86_400)] == [oldest.folder]
        assert [each.folder for each in prune(cache, keep_bytes=newest.disk_bytes)] == [middle.folder]
        assert prune(cache) == []
        assert len(prune(cache, keep_bytes=0)) == 1
        assert not list((cache / "sets").iterdir())

    def test_unfinished_ones_after_an_hour(self, tmp_path: Path, cache: Path):
        opened(fill(tmp_path / "set", 2))
        folder = next((cache / "sets").iterdir())
        (folder / "manifest.json").unlink()
        assert prune(cache) == []
        os.utime(folder, (1, 1))
        assert len(prune(cache)) == 1

    def test_a_pruned_set_is_decoded_again(self, tmp_path: Path, cache: Path):
        source = fill(tmp_path / "set", 2)
        before = opened(source)
        prune(cache, keep_bytes=0)
        assert opened(source).content_hash == before.content_hash
        shutil.rmtree(cache)
        assert opened(source).content_hash == before.content_hash
