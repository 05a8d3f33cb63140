"""FAULTS 14, 17, 18, 19: saving, while the process is killed, the disk fills, or a system call fails."""

import os
import resource
import shutil
import subprocess
from pathlib import Path

import pytest

import ganzfeld as gz
from ganzfeld.durable import unfinished
from ganzfeld.errors import DamagedError, ResourceError
from ganzfeld.runs import Run
from ganzfeld.runs.checkpoint_store import CheckpointStore
from ganzfeld.training.callbacks import TrainCallback
from tests.faults.conftest import injected
from tests.training.conftest import small

ALL_CALLS = "all"
FAILING = ["openat", "write", "fsync", "rename,renameat,renameat2", "mkdir,mkdirat"]
MOST_CALLS = 2000


def nothing(_: str) -> None:
    """Hears of damaged checkpoints, of which there may be none here."""
    raise AssertionError("a damaged checkpoint was found")


@pytest.fixture
def saved(tmp_path, moments) -> CheckpointStore:
    """A folder in which the first moment is saved."""
    history = CheckpointStore(tmp_path / "checkpoints")
    history.write(moments[0])
    return history


def saving(history: CheckpointStore, checkpoint, tells: bool = True):
    def action(say):
        history.write(checkpoint)
        if tells:
            say("saved")

    return action


@pytest.mark.usefixtures("needs_strace")
class TestEverySystemCall:
    def test_a_kill_leaves_the_newest_that_was_told(self, saved, moments, child, tmp_path):
        """SIGKILL at the first, second, ... system call of a save, until one gets through."""
        kills = {"old": 0, "new": 0}
        call = 1
        while call < MOST_CALLS:
            saver = child(saving(saved, moments[1]))
            with injected(saver, f"{ALL_CALLS}:signal=KILL:when={call}", tmp_path / "trace"):
                saver.go()
            end = saver.end()
            newest = saved.newest(nothing)
            assert newest is not None
            told = "saved" in end.said
            assert newest.images_seen == moments[1].images_seen or not told
            kills["new" if newest.images_seen == moments[1].images_seen else "old"] += 1
            saved.tidy()
            assert {path.suffix for path in saved.folder.iterdir()} == {".safetensors", ".sha256"}
            assert len(list(saved.folder.iterdir())) == 2 * len(saved.all())
            if not end.signal:
                assert end.code == 0
                assert told
                break
            for path in saved.folder.glob(f"{moments[1].images_seen:012d}*"):
                path.unlink()
            call += 1
        assert kills["old"] > 5, "kills before the rename"
        assert kills["new"] > 1, "kills after it, and the one that got through"

    @pytest.mark.parametrize("calls", FAILING)
    @pytest.mark.parametrize("error", ["ENOSPC", "EIO"])
    def test_a_failure_is_never_told_as_saved(self, saved, moments, child, tmp_path, calls, error):
        """The call fails at its first, second, ... time, until no time is left."""
        trace, time = tmp_path / "trace", 0
        while time < MOST_CALLS:
            time += 1
            saver = child(saving(saved, moments[1], tells=False))
            with injected(saver, f"{calls}:error={error}:when={time}", trace):
                saver.go()
            end = saver.end()
            assert (end.signal, end.code) in ((0, 0), (0, ResourceError.exit_code)), end.said
            newest = saved.newest(nothing)
            assert newest is not None
            if end.code == 0:
                assert newest.images_seen == moments[1].images_seen
            else:
                assert str(saved.folder) in end.said
                assert not unfinished(saved.folder)
            for path in saved.folder.glob(f"*{moments[1].images_seen:012d}*"):
                path.unlink()
            if "INJECTED" not in trace.read_text():
                break
        assert time > 1, "at least one failed"


class TestFullDisk:
    def test_a_limit_on_the_size_of_files(self, saved, moments, child):
        def action(say):
            resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
            saving(saved, moments[1])(say)

        self.is_met(saved, child(action))

    def test_a_small_disk(self, moments, child, tmp_path):
        """A disk of its own where this process may mount one; a file system image is not needed."""
        disk = tmp_path / "disk"
        disk.mkdir()
        size = saved_bytes(moments[0], tmp_path / "measured") * 3 // 2
        mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(disk)]
        if os.geteuid() or subprocess.run(mount, capture_output=True).returncode:
            pytest.xfail("mounting a small disk needs root; the limit on file sizes is tested above")
        try:
            history = CheckpointStore(disk / "checkpoints")
            history.write(moments[0])
            self.is_met(history, child(saving(history, moments[1])))
        finally:
            subprocess.run(["umount", str(disk)], check=True)

    def test_the_journal_is_what_no_longer_fits(self, array_file, tmp_path, child):
        """Told, tried again, and ended with the documented code; what was saved goes on."""

        def train(say):
            class Limit(TrainCallback):
                def started(self, run, summary):
                    size = 200_000  # room for checkpoints of small networks, and not for what follows
                    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
                    (run.path / "journal.jsonl").write_bytes(b"\n" * size)

                def noted(self, text):
                    say(text)

            gz.train(
                array_file,
                recipe=small(),
                minutes=1,
                out=tmp_path,
                checkpoint_seconds=0.1,
                callback=Limit(),
            )

        process = child(train)
        process.go()
        end = process.end()
        assert (end.signal, end.code) == (0, ResourceError.exit_code), end.said
        assert end.said.count("trying again") == 2
        (path,) = tmp_path.glob("*/")
        (path / "journal.jsonl").unlink()
        seen = gz.open_run(path).position.images_seen
        assert gz.resume(path, images=seen + 80).position.images_seen == seen + 80

    def is_met(self, history, saver):
        before = {path: path.read_bytes() for path in history.folder.iterdir()}
        saver.go()
        end = saver.end()
        assert (end.signal, end.code) == (0, ResourceError.exit_code)
        assert "no room left" in end.said
        assert {path: path.read_bytes() for path in history.folder.iterdir()} == before


def saved_bytes(checkpoint, folder: Path) -> int:
    CheckpointStore(folder).write(checkpoint)
    return sum(path.stat().st_size for path in folder.iterdir())


class TestDamage:
    """Truncated and flipped files are named, and the one before is used."""

    @pytest.fixture
    def two(self, saved, moments) -> tuple[CheckpointStore, Path]:
        return saved, saved.write(moments[1])

    def test_every_kind_of_cut(self, two, thorough):
        history, newest = two
        whole = newest.read_bytes()
        step = 97 if thorough else 4001
        for length in [*range(0, len(whole), step), len(whole) - 1]:
            newest.write_bytes(whole[:length])
            self.is_passed_over(history, newest)

    def test_every_kind_of_flip(self, two, thorough):
        history, newest = two
        whole = newest.read_bytes()
        for place in range(0, len(whole), 97 if thorough else 4001):
            flipped = bytearray(whole)
            flipped[place] ^= 1 << place % 8
            newest.write_bytes(flipped)
            self.is_passed_over(history, newest)

    def test_a_checksum_that_is_damaged_or_gone(self, two):
        history, newest = two
        checksum = newest.with_suffix(".sha256")
        for content in (b"", b"0" * 64, b"\xff\xfe", b"no digest at all  file\n"):
            checksum.write_bytes(content)
            self.is_passed_over(history, newest)
        checksum.unlink()
        self.is_passed_over(history, newest)

    def test_sha256sum_agrees(self, two):
        history, newest = two
        if shutil.which("sha256sum") is None:
            pytest.skip("sha256sum is not installed")
        command = ["sha256sum", "--check", newest.with_suffix(".sha256").name]
        subprocess.run(command, cwd=history.folder, check=True, capture_output=True)

    def test_all_damaged_is_an_error(self, two):
        history, _ = two
        for images_seen in history.all():
            history.path(images_seen).write_bytes(b"lost")
        with pytest.raises(DamagedError, match="none of the checkpoints"):
            history.newest(lambda text: None)

    def test_a_damaged_one_is_written_anew(self, two, moments):
        history, newest = two
        newest.write_bytes(b"lost")
        history.write(moments[1])
        assert history.newest(nothing).images_seen == moments[1].images_seen

    def test_a_position_needs_the_header_alone(self, two, moments):
        """What it costs does not grow with the tensors: these are neither read nor checked."""
        history, newest = two
        run = Run(history.folder.parent)
        whole = newest.read_bytes()
        newest.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
        assert run.position == moments[1].card.position
        assert run.checked_position == moments[0].card.position

    def test_a_position_passes_over_what_is_cheap_to_see(self, two, moments, thorough):
        history, newest = two
        run, whole, checksum = Run(history.folder.parent), newest.read_bytes(), newest.with_suffix(".sha256")
        old = moments[0].card.position
        for length in [*range(0, len(whole), 97 if thorough else 4001), len(whole) - 1]:
            newest.write_bytes(whole[:length])
            assert run.position == old
        newest.write_bytes(whole + b"1")
        assert run.position == old
        newest.write_bytes((2**62).to_bytes(8, "little") + whole[8:])
        assert run.position == old, "a header that claims to be longer than any is not read"
        newest.write_bytes(whole)
        checksum.unlink()
        assert run.position == old
        shutil.copy(newest, history.path(10**6))
        shutil.copy(history.path(history.all()[0]).with_suffix(".sha256"), checksum)
        assert run.position == moments[1].card.position, "one of another number, without a checksum"
        shutil.copy(checksum, history.path(10**6).with_suffix(".sha256"))
        assert run.position == moments[1].card.position, "one of another number"

    def test_without_a_readable_header_there_is_no_position(self, two, tmp_path):
        history, _ = two
        for images_seen in history.all():
            history.path(images_seen).write_bytes(b"lost")
        with pytest.raises(DamagedError, match="none of the checkpoints"):
            _ = Run(history.folder.parent).position
        with pytest.raises(DamagedError, match="no checkpoint"):
            _ = Run(tmp_path / "empty").position

    def is_passed_over(self, history, newest):
        told = []
        found = history.newest(told.append)
        assert found is not None
        assert found.images_seen == history.all()[0]
        assert len(told) == 1
        assert str(newest) in told[0]
