"""Processes that torchrun starts again when one of them is killed, and how they go on."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch

import ganzfeld as gz
from tests.training.conftest import PATIENCE_S, small, together
from tests.training.test_ranks import state_of

IMAGES = 320


def workers(launcher: int) -> list[int]:
    """The processes that a launcher has started, by rank."""
    found: dict[int, int] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int(folder.joinpath("stat").read_text().rpartition(")")[2].split()[1])
            settings = folder.joinpath("environ").read_text().split("\0")
        except (OSError, ValueError):
            continue
        if parent == launcher:
            ranks = [
                int(setting.removeprefix("RANK=")) for setting in settings if setting.startswith("RANK=")
            ]
            found |= dict.fromkeys(ranks, int(folder.name))
    return [found[rank] for rank in sorted(found)]


def elastic(ranks: list[int], array_file: Path, folder: Path, pauses: random.Random) -> dict[str, Any]:
    """What a launch says in which those ranks are killed in turn, each once something new has been saved."""
    recipe = folder / "small.json"
    recipe.write_text(small(mirror=True).model_dump_json())
    launcher = ["torch.distributed.run", "--nproc-per-node", "2", "--max-restarts", str(len(ranks))]
    command = ["ganzfeld", "train", str(array_file), "--recipe", str(recipe), "--images", str(IMAGES)]
    options = [
        "--checkpoint-seconds",
        "0.05",
        "--precision",
        "float32",
        "--out",
        str(folder / "runs"),
        "--json",
    ]
    with (
        (folder / "said.txt").open("w+") as said,
        subprocess.Popen(
            [sys.executable, "-m", *launcher, "-m", *command, *options],
            stdout=subprocess.PIPE,
            stderr=said,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
        ) as process,
    ):
        try:
            for rank in ranks:
                newest = last_saved(folder)
                while last_saved(folder) < newest + 40:
                    assert process.poll() is None, (folder / "said.txt").read_text()
                    time.sleep(0.01)
                time.sleep(pauses.uniform(0, 0.2))
                os.kill(workers(process.pid)[rank], signal.SIGKILL)
            result, _ = process.communicate(timeout=PATIENCE_S)
            assert process.returncode == 0, (folder / "said.txt").read_text()
        finally:
            process.terminate()  # and not kill: it ends those that it has started
    *failed, last = map(json.loads, result.splitlines())
    assert all("error" in each for each in failed)
    assert len(failed) <= len(ranks), "one process speaks at a time"
    return last


def last_saved(folder: Path) -> int:
    """Images seen at the newest checkpoint of the one run in a folder."""
    return max((int(each.stem) for each in folder.glob("runs/*/checkpoints/*.safetensors")), default=0)


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="finds the processes of a launcher in /proc")
class TestElastic:
    def check(self, ranks, array_file, tmp_path):
        settings = {"recipe": small(mirror=True), "images": IMAGES, "precision": "float32"}
        straight, _ = together(2, lambda: gz.train(array_file, out=tmp_path / "straight", **settings).path)
        said = elastic(ranks, array_file, tmp_path, random.Random(str(ranks)))
        assert [str(path) for path in (tmp_path / "runs").iterdir()] == [said["run"]]
        assert said["images_seen"] == IMAGES
        path = Path(said["run"])
        run, wanted, found = gz.open_run(path), state_of(straight), state_of(path)
        assert [event.kind for event in run.metadata.events] == ["resumed"] * len(ranks)
        assert found.keys() == wanted.keys()
        assert all(torch.equal(value, found[name]) for name, value in wanted.items())
        assert run.journal[-1]["images_seen"] == IMAGES

    @pytest.mark.thorough
    def test_a_killed_rank_costs_no_bit(self, array_file, tmp_path):
        self.check([1], array_file, tmp_path)

    @pytest.mark.thorough
    def test_whichever_and_however_often(self, array_file, tmp_path):
        self.check([0, 1, 0], array_file, tmp_path)


def test_ranks_that_are_started_again_cost_no_bit(array_file, tmp_path):
    """As ``TestElastic``, without torchrun itself: what was saved last is lost, and all ranks begin again."""

    def train(restarts: int):
        def work():
            os.environ |= {"TORCHELASTIC_RUN_ID": "one", "TORCHELASTIC_RESTART_COUNT": str(restarts)}
            options = {"recipe": small(mirror=True), "images": 80, "precision": "float32"}
            return gz.train(array_file, out=tmp_path, checkpoint_seconds=0.01, **options).path

        return work

    path, _ = together(2, train(0))
    history, straight = gz.open_run(path).history, state_of(path)
    for images_seen in history.all()[1:]:
        history.path(images_seen).unlink()
    assert together(2, train(1)) == [path, path]
    again = state_of(path)
    assert again.keys() == straight.keys()
    assert all(torch.equal(value, again[name]) for name, value in straight.items())


def test_the_launchers_summary_says_what_we_say(array_file, tmp_path):
    """It comes last, and otherwise says only that a process failed."""
    launcher = ["torch.distributed.run", "--nproc-per-node", "2", "-m", "ganzfeld", "train"]
    options = [str(array_file), "--batch", "9", "--out", str(tmp_path / "runs"), "--json"]
    done = subprocess.run(
        [sys.executable, "-m", *launcher, *options],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    refusal = json.loads(done.stdout)
    assert "cannot be divided evenly" in refusal["error"]
    summary = done.stderr.rpartition("Root Cause")[2]
    assert refusal["error"] in summary and refusal["hint"] in summary
    assert "exitcode  : 2" in summary and done.returncode == 1, "torchrun's own, whatever ours is"


def test_a_fork_that_is_started_again_goes_on(array_file, tmp_path):
    """And does not begin another one beside it."""

    def fork(restarts: int):
        def work():
            os.environ |= {"TORCHELASTIC_RUN_ID": "two", "TORCHELASTIC_RESTART_COUNT": str(restarts)}
            return gz.resume(old, from_images=0, images=160).path

        return work

    old, _ = together(
        2, lambda: gz.train(array_file, recipe=small(), images=80, out=tmp_path, checkpoint_seconds=0.01).path
    )
    begun, _ = together(2, fork(0))
    history = gz.open_run(begun).history
    end = state_of(begun)
    history.path(history.all()[-1]).unlink()
    assert together(2, fork(1)) == [begun, begun]
    found = state_of(begun)
    assert all(torch.equal(value, found[name]) for name, value in end.items())
    assert gz.open_run(begun).metadata.launch == "two" != gz.open_run(old).metadata.launch


def test_another_number_of_ranks_goes_on_and_is_written_down(array_file, tmp_path):
    """As when a machine has left: the batch stays, and what rounding changes is no secret."""

    def train(images: int, restarts: int):
        def work():
            os.environ |= {"TORCHELASTIC_RUN_ID": "one", "TORCHELASTIC_RESTART_COUNT": str(restarts)}
            return gz.train(
                array_file, recipe=small(), images=images, out=tmp_path, checkpoint_seconds=0.01
            ).path

        return work

    path, _ = together(2, train(80, 0))
    history = gz.open_run(path).history
    for images_seen in history.all()[1:]:
        history.path(images_seen).unlink()
    assert together(1, train(80, 1)) == [path]
    metadata = gz.open_run(path).metadata
    assert "ranks is 1 now and was 2" in metadata.events[-1].what
    assert metadata.circumstances.ranks == 1
    assert together(1, train(8, 0)) != [path], "what is no restart begins a run of its own"
