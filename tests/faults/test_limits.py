"""FAULTS 17, 38: trainings under limits of the system, in threads, and after forks."""

import contextlib
import hashlib
import json
import os
import resource
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import ganzfeld as gz
from ganzfeld.errors import GanzfeldError, ResourceError
from ganzfeld.system import in_words
from tests.faults.calls import call, command, warm
from tests.training.conftest import small

PROGRAM = [sys.executable, "-m", "ganzfeld"]
MANY = 400


@pytest.fixture(scope="module", autouse=True)
def imported():
    """Forks need not import anything, under whatever limit."""
    warm()


@pytest.fixture
def recipe_file(tmp_path) -> Path:
    path = tmp_path / "small.json"
    path.write_text(small("seed").model_dump_json())
    return path


def training(array_file: Path, recipe_file: Path, out: Path, images: int = MANY) -> list[str]:
    """The arguments of a training that saves at every step."""
    words = ["train", array_file, "--recipe", recipe_file, "--images", images, "--out", out]
    return [*map(str, words), "--checkpoint-seconds", "1e-9", "--json"]


def ends_in_words(ended) -> dict:
    """What a training says that ended for want of something: exit code 6, and how it goes on."""
    assert ended.code == 6, ended.errors[-2000:]
    assert "Traceback" not in ended.errors
    return json.loads(ended.output)


def goes_on(out: Path, images: int = MANY) -> None:
    """Whatever was saved before is whole, and goes on to its end."""
    (path,) = (path.parent for path in out.glob("*/recipe.json"))
    run = gz.open_run(path)
    saved = run.history.all()
    assert [run.history.read(images_seen).images_seen for images_seen in saved] == saved
    assert gz.resume(path, progress=False).journal[-1]["images_seen"] == images


@pytest.mark.parametrize("kilobytes", [40, pytest.param(200, marks=pytest.mark.thorough)])
def test_files_of_limited_size(array_file, recipe_file, tmp_path, kilobytes):
    """40 kB hold no checkpoint; 200 kB do."""
    out = tmp_path / "runs"

    def train() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (kilobytes * 1024, kilobytes * 1024))
        command(training(array_file, recipe_file, out))()

    ended = call(train, tmp_path)
    if kilobytes == 40:
        assert "no room left to write" in ends_in_words(ended)["error"]
    else:
        assert ended.code == 0, ended.errors
    goes_on(out)


@pytest.mark.parametrize(
    "more", [8, *(pytest.param(each, marks=pytest.mark.thorough) for each in (1, 2, 4, 6, 12, 20))]
)
def test_few_open_files(array_file, recipe_file, tmp_path, more):
    """So many more than are open already."""
    out = tmp_path / "runs"

    def train() -> None:
        most = max(map(int, os.listdir("/proc/self/fd"))) + 1 + more  # noqa: PTH208
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
        command(training(array_file, recipe_file, out))()

    ended = call(train, tmp_path)
    if ended.code != 0:
        assert "too many files are open at once" in ends_in_words(ended)["error"]
    if list(out.glob("*/recipe.json")):
        goes_on(out)


def fill(path: Path) -> None:
    """Write until the disk is full."""
    with contextlib.suppress(OSError), path.open("ab", buffering=0) as file:
        while file.write(bytes(4096)):
            pass


def test_a_disk_that_fills_up_on_the_way(array_file, recipe_file, tmp_path):
    """A disk of its own, where this process may mount one, on which somebody else writes too."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(disk)]
    if os.geteuid() or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("mounting a small disk needs root; a limit on file sizes is tested above")
    out, theirs = disk / "runs", disk / "of somebody else"

    def train() -> None:
        from ganzfeld.runs.checkpoint_store import CheckpointStore

        write = CheckpointStore.write

        def beside(self, checkpoint, near=None) -> Path:
            if checkpoint.images_seen > MANY // 2:
                fill(theirs)
            return write(self, checkpoint, near)

        CheckpointStore.write = beside
        command(training(array_file, recipe_file, out))()

    try:
        told = ends_in_words(call(train, tmp_path))
        assert "no room left" in told["error"]
        assert "ganzfeld resume" in told["hint"]
        theirs.unlink()
        goes_on(out)
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_no_more_threads(tmp_path):
    """Python raises a RuntimeError, which is one of the system's refusals."""

    def start() -> None:
        threading.stack_size(2**30)
        here = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (here + 2**29, here + 2**29))
        with in_words():
            threading.Thread(target=print).start()

    def told() -> None:
        try:
            start()
        except ResourceError as error:
            print(error.message)

    assert "no more threads can be started" in call(told, tmp_path).output


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not heed the limit")
@pytest.mark.parametrize("megabytes", [250, pytest.param(300, marks=pytest.mark.thorough)])
def test_too_little_memory_to_load_what_is_needed(array_file, tmp_path, megabytes):
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (megabytes * 2**20, megabytes * 2**20))

    environment = os.environ | {"OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(
        [*PROGRAM, "train", str(array_file), "--json"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=environment,
        preexec_fn=limit,
        timeout=120,
    )
    assert done.returncode == 6, done.stderr
    assert "memory" in json.loads(done.stdout)["error"]


class TestInOneProcess:
    """The same weights, wherever and beside whatever a training runs."""

    def digest(self, array_file, out: Path, precision: str) -> str:
        """Of two passes through D a step, which share what autocast has cast."""
        options = {"images": 160, "precision": precision, "route": "plain", "progress": False}
        run = gz.train(array_file, recipe=small("seed"), out=out, **options)
        return hashlib.sha256((run.path / "model/last/generator.safetensors").read_bytes()).hexdigest()

    @pytest.mark.parametrize("precision", ["float32", "bfloat16"])
    def test_twice_in_threads_and_in_a_fork(self, array_file, tmp_path, precision):
        wanted = self.digest(array_file, tmp_path / "first", precision)
        assert self.digest(array_file, tmp_path / "second", precision) == wanted
        found: list[object] = []

        def in_a_thread() -> None:
            try:
                found.append(self.digest(array_file, tmp_path / "together", precision))
            except BaseException as error:  # noqa: BLE001  told to the test
                found.append(error)

        threads = [threading.Thread(target=in_a_thread) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert found == [wanted, wanted]
        ended = call(lambda: print(self.digest(array_file, tmp_path / "fork", precision)), tmp_path)
        assert (ended.code, ended.output.strip()) == (0, wanted), ended.errors

    def test_two_threads_in_one_run_folder(self, array_file, tmp_path):
        """The second is refused, as a second process would be, and the first one does not notice."""
        refused: list[GanzfeldError] = []

        def again(progress: gz.Progress) -> None:
            if not refused and (found := list(tmp_path.glob("*/recipe.json"))):
                thread = threading.Thread(target=resume, args=(found[0].parent,))
                thread.start()
                thread.join()

        def resume(path: Path) -> None:
            try:
                gz.resume(path, images=400, progress=False)
            except GanzfeldError as error:
                refused.append(error)

        run = gz.train(array_file, recipe=small("seed"), images=160, out=tmp_path, progress=again)
        assert run.journal[-1]["images_seen"] == 160
        assert [type(error) for error in refused[:1]] == [ResourceError]
