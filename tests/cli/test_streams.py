"""FAULTS 37, 38, 41: standard streams that are full, closed or gone, and machines that refuse things."""

import contextlib
import json
import os
import pty
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import ganzfeld as gz
from ganzfeld.cli import _raising_at_signals
from ganzfeld.errors import ResourceError
from ganzfeld.launch import tell_launcher
from ganzfeld.training.interruption import Interruption
from tests.cli.test_cli import SETTINGS, call

NO_HOME = """
import pwd
pwd.getpwuid = {}.__getitem__
from ganzfeld.cli import main
main(["cache", "list"])
"""
HANGUP_WHILE_READING = """
import os, signal
from ganzfeld.data import images as images
images._load = lambda *given: os.kill(os.getpid(), signal.SIGHUP)
from ganzfeld.cli import main
main(["check", "--json"])
"""
FULL = Path("/dev/full")
PROGRAM = [sys.executable, "-m", "ganzfeld"]


def ganzfeld(*words: object, **options) -> subprocess.CompletedProcess[Any]:
    """What a process of its own says and ends with."""
    command = [*PROGRAM, *map(str, words)]
    options = {"stderr": subprocess.PIPE, "text": True, "timeout": 120} | options
    return subprocess.run(command, **options)


@pytest.mark.parametrize("words", [["cache", "list", "--json"], ["--help"], ["--version"]])
class TestOutput:
    def test_a_reader_that_has_gone(self, words):
        reading, writing = os.pipe()
        os.close(reading)
        done = ganzfeld(*words, stdout=writing)
        os.close(writing)
        assert (done.returncode, done.stderr) == (141, "")

    @pytest.mark.skipif(not FULL.exists(), reason="a system without /dev/full")
    def test_a_full_disk(self, words):
        with FULL.open("w") as full:
            done = ganzfeld(*words, stdout=full)
        assert done.returncode == 6
        assert "no room left to write standard output" in done.stderr and "Traceback" not in done.stderr

    def test_closed_from_the_beginning(self, words):
        done = ganzfeld(*words, stdout=None, preexec_fn=lambda: os.close(1))
        assert done.returncode == 6
        assert "standard output is closed" in done.stderr and "Traceback" not in done.stderr

    def test_nobody_hears_the_remarks(self, words):
        """Work goes on without standard error."""
        done = ganzfeld(*words, stdout=subprocess.PIPE, stderr=None, preexec_fn=lambda: os.close(2))
        assert done.returncode == 0 and done.stdout
        with FULL.open("w") as full:
            assert ganzfeld(*words, stdout=subprocess.PIPE, stderr=full).stdout == done.stdout


def test_a_reader_that_leaves_after_an_error():
    reading, writing = os.pipe()
    os.close(reading)
    done = ganzfeld("check", "nothing", "--json", stdout=writing)
    os.close(writing)
    assert done.returncode == 141


def test_a_signal_while_an_error_is_printed(tmp_path):
    """As a launcher sends it when another process has failed. Printing waits here for a pipe that is full."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(writing, b" " * 4096)
    os.set_blocking(writing, True)
    place = tmp_path / "error.json"
    environment = os.environ | {"TORCHELASTIC_ERROR_FILE": str(place)}
    with subprocess.Popen([*PROGRAM, "check", "nothing"], stderr=writing, env=environment) as process:
        os.close(writing)
        while not place.exists():
            assert process.poll() is None
            time.sleep(0.01)
        time.sleep(0.2)
        process.terminate()
        time.sleep(0.2)
        with os.fdopen(reading, "rb") as pipe:
            assert b"Traceback" not in pipe.read()
        assert process.wait(timeout=60) == 128 + signal.SIGTERM
    assert "nothing" in json.loads(place.read_text())["message"]["message"]


def test_what_a_launcher_reads_is_whole(tmp_path):
    """It fails on half of a file: what is there while another is written must stay as it was."""
    place = tmp_path / "error.json"
    environment = {"TORCHELASTIC_ERROR_FILE": str(place)}
    tell_launcher("the first", environment)
    with place.open() as file:
        tell_launcher("the second", environment)
        assert json.load(file)["message"]["message"] == "the first"
    assert json.loads(place.read_text())["message"]["message"] == "the second"


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_json_whatever_the_encoding(encoding):
    environment = {**os.environ, "PYTHONIOENCODING": encoding}
    given = "nothing \u2603 \U0001f600 \xe9"
    done = ganzfeld("check", given, "--json", stdout=subprocess.PIPE, env=environment, text=False)
    assert given in json.loads(done.stdout.decode("ascii"))["error"]


class TestSystem:
    @pytest.mark.parametrize(
        "words",
        [
            ["sample", "n" * 5_000],
            ["doctor", "x/" * 2_500],
            ["train", "--out", "n" * 300, "--images", "8"],
            ["check", "n" * 5_000],
            ["check", "~nobody-of-that-name/photos"],
            ["train", "--recipe", "n" * 300],
            ["eval", "n" * 300],
        ],
    )
    def test_names_that_cannot_be(self, words):
        code, _, complaint = call(*words)
        assert code in (2, 3, 6)
        assert len(complaint) < 1_000

    @pytest.mark.parametrize("num_files", [8, 20])
    def test_too_many_open_files(self, tmp_path, num_files, array_file):
        def allow_few():
            resource.setrlimit(resource.RLIMIT_NOFILE, (num_files, num_files))

        words = ["train", array_file, "--images", 8, "--out", tmp_path, *SETTINGS]
        environment = {**os.environ, "GANZFELD_CACHE": str(tmp_path / "cache")}
        done = ganzfeld(*words, stdout=subprocess.PIPE, preexec_fn=allow_few, env=environment)
        assert done.returncode in (0, 6), done.stderr
        assert "Traceback" not in done.stderr
        if done.returncode:
            assert "too many files are open" in done.stderr and "ulimit -n" in done.stderr

    def test_a_folder_that_was_deleted(self, tmp_path):
        (tmp_path / "gone").mkdir()
        gone = f"cd {tmp_path / 'gone'}; rmdir {tmp_path / 'gone'}; exec {sys.executable} -m ganzfeld env"
        environment = {**os.environ, "PYTHONPATH": str(Path(gz.__file__).parents[1])}
        done = subprocess.run(["sh", "-c", gone], capture_output=True, text=True, env=environment)
        assert done.returncode == 6
        assert "the current folder no longer exists" in done.stderr

    def test_no_home(self, tmp_path):
        """A user that the system does not know, as in some containers."""
        unset = ("HOME", "GANZFELD_CACHE", "XDG_CACHE_HOME")
        kept = {key: value for key, value in os.environ.items() if key not in unset}
        done = subprocess.run([sys.executable, "-c", NO_HOME], capture_output=True, text=True, env=kept)
        assert done.returncode == 6
        assert "GANZFELD_CACHE" in done.stderr and "Traceback" not in done.stderr

    def test_python_callers_hear_it_too(self, tmp_path, array_file):
        long = "n" * 300
        for attempt in (
            lambda: gz.train(array_file, images=8, out=tmp_path / long),
            lambda: gz.load(tmp_path / long),
            lambda: gz.open_run(tmp_path / long),
            lambda: gz.resume(tmp_path / long),
            lambda: gz.evaluate(tmp_path / long),
        ):
            with pytest.raises(ResourceError, match="longer than the system allows") as caught:
                attempt()
            assert isinstance(caught.value.__cause__, OSError)


def begun(out: Path) -> Path:
    """The folder of a training, once it has saved something."""
    for _ in range(1_200):
        if found := [path.parent.parent for path in out.glob("*/checkpoints/*.safetensors")]:
            return found[0]
        time.sleep(0.05)
    raise AssertionError("it does not begin")


class TestHangup:
    @pytest.fixture(autouse=True)
    def not_ignored(self):
        """Whatever the tests are run under: nohup ignores the signal, and processes inherit that."""
        before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
        yield
        signal.signal(signal.SIGHUP, before)

    def test_a_terminal_that_is_closed(self, array_file, tmp_path):
        """A real terminal: whatever is written to it afterwards is an error, and everything is saved."""
        options = ["--minutes", "5", "--checkpoint-seconds", "0.1", "--out", str(tmp_path)]
        words = [*PROGRAM, "train", str(array_file), *options, *SETTINGS]
        pid, terminal = pty.fork()
        if pid == 0:
            os.execv(words[0], words)
        path = begun(tmp_path)
        os.close(terminal)
        _, status = os.waitpid(pid, 0)
        assert os.waitstatus_to_exitcode(status) == 129
        run = gz.open_run(path)
        assert run.position.images_seen == run.model.card.images_seen > 0
        assert (path / "report.html").exists()

    def test_more_than_one_does_not_abandon_a_training(self):
        with Interruption(lambda: pytest.fail("abandoned")) as interruption:
            for _ in range(3):
                signal.raise_signal(signal.SIGHUP)
            assert interruption.signal_number == signal.SIGHUP

    def test_where_it_is_ignored_it_stays_ignored(self):
        """As under nohup."""
        before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
        try:
            with Interruption(lambda: pytest.fail("abandoned")) as interruption, _raising_at_signals():
                signal.raise_signal(signal.SIGHUP)
                assert not interruption.came()
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
        finally:
            signal.signal(signal.SIGHUP, before)

    def test_while_images_are_read(self, tmp_path):
        done = subprocess.run([sys.executable, "-c", HANGUP_WHILE_READING], capture_output=True, text=True)
        assert done.returncode == 129
        assert json.loads(done.stdout)["error"] == "interrupted" and "Traceback" not in done.stderr
