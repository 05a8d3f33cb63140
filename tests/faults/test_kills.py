"""FAULTS 15, 16, 21: trainings that are killed, interrupted, and run twice at once."""

import hashlib
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

import ganzfeld as gz
from ganzfeld.errors import ResourceError
from ganzfeld.runs.run import Run
from ganzfeld.training.callbacks import TrainCallback
from tests.training.conftest import PATIENCE_S, small

pytestmark = pytest.mark.machine

RECIPES = ["modern", "seed", "radford2015"]


def last_state(run: Run) -> dict[str, torch.Tensor]:
    """Every tensor of the training at its end."""
    found = run.history.newest(pytest.fail)
    assert found is not None
    return found.tensors


def same_bits(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    """Equal names, and equal numbers to the last bit."""
    return one.keys() == other.keys() and all(torch.equal(value, other[name]) for name, value in one.items())


@pytest.mark.parametrize("name", RECIPES)
def test_killed_again_and_again_it_becomes_what_it_would_have(name, array_file, tmp_path, child, thorough):
    """SIGKILL at random moments, of starting, training and saving alike; resumed each time."""
    num_kills, images = (50, 8000) if thorough else (4, 800)
    recipe = small(name, stabilisers=["spectral", "instance-noise", "augmentation"], mirror=True)
    settings = {"recipe": recipe, "images": images, "precision": "float32", "checkpoint_seconds": 0.05}
    straight = gz.train(array_file, out=tmp_path / "straight", **settings)
    needed_s = straight.journal[-1]["seconds"]
    pause = random.Random(name)  # the same moments every time, as far as moments can be

    killed = 0
    path = tmp_path / "killed" / f"{straight.metadata.name}-001"
    while True:
        if path.exists() and (path / "recipe.json").exists():
            process = child(lambda say: gz.resume(path) and None)
        else:
            process = child(lambda say: gz.train(array_file, out=tmp_path / "killed", **settings) and None)
        process.go()
        if killed == num_kills:
            end = process.end()
            assert (end.signal, end.code) == (0, 0), end.said
            break
        time.sleep(pause.uniform(0, 3 * needed_s / num_kills))
        process.kill()
        end = process.end()
        assert end.signal or end.code == 0, end.said
        killed += 1
        if path.exists() and not (path / "recipe.json").exists():
            shutil.rmtree(path)  # killed before it had begun to be a run
    run = gz.open_run(path)
    assert same_bits(last_state(run), last_state(straight))
    digests = [
        hashlib.sha256((each.path / "model/last/generator.safetensors").read_bytes()).hexdigest()
        for each in (run, straight)
    ]
    assert digests[0] == digests[1]
    steps = [entry["step"] for entry in run.journal]
    assert steps == sorted(steps)
    assert run.journal[-1]["images_seen"] == images


COMMAND = """
import importlib, os, sys
phase, number, arguments = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
place, _, name = phase.partition(":")
owner = importlib.import_module(place)
*outer, name = name.split(".")
for part in outer:
    owner = getattr(owner, part)
inner = getattr(owner, name)
def struck(*given, **options):
    setattr(owner, name, inner)
    result = inner(*given, **options)
    os.kill(os.getpid(), number)
    return result
setattr(owner, name, struck)
from ganzfeld.cli import main
main(arguments)
"""
"""The command line, which sends itself a signal when a function has been called for the first time."""

BEFORE = {
    "reading the images": "ganzfeld.data.images:_load",
    "building the networks": "ganzfeld.training.setup:start",
    "making the run folder": "ganzfeld.training.session:create_run",
}
TRAINING = {
    "a step": "ganzfeld.training.trainer:step",
    "a reading": "ganzfeld.training.loop:scalars_of",
    "taking a snapshot": "ganzfeld.training.artifacts:capture",
    "writing a checkpoint": "ganzfeld.runs.checkpoint_store:CheckpointStore._put",
    "the first sheet": "ganzfeld.training.loop:Loop._show",
    "the report": "ganzfeld.training.loop:write_report",
}


def struck(phase: str, number: int, array_file: Path, out: Path) -> subprocess.CompletedProcess[str]:
    """What came of a training that got a signal in that phase."""
    recipe = out / "small.json"
    out.mkdir()
    recipe.write_text(small().model_dump_json())
    options = ["--recipe", str(recipe), "--images", "800", "--checkpoint-seconds", "0.2", "--out", str(out)]
    command = [sys.executable, "-c", COMMAND, phase, str(int(number)), "train", str(array_file), *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S)


def check_strike(phase: str, number: int, array_file: Path, out: Path) -> None:
    """128 plus the number, no traceback; a training is saved, and the way to go on is told and works."""
    done = struck((BEFORE | TRAINING)[phase], number, array_file, out)
    assert done.returncode == 128 + number, done.stderr
    assert "Traceback" not in done.stderr
    if phase in TRAINING:
        (path,) = out.glob("*/")
        assert f"ganzfeld resume {path}" in done.stderr
        run = gz.open_run(path)
        newest = run.history.newest(pytest.fail)
        assert newest is not None
        assert newest.images_seen == run.model.card.images_seen > 0
        assert gz.resume(path).journal[-1]["images_seen"] == 800
    else:
        assert "interrupted" in done.stderr


@pytest.mark.parametrize(
    ("phase", "number"), [("reading the images", signal.SIGTERM), ("writing a checkpoint", signal.SIGINT)]
)
def test_a_signal(phase, number, array_file, tmp_path):
    check_strike(phase, number, array_file, tmp_path / "runs")


@pytest.mark.thorough
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("phase", [*BEFORE, *TRAINING])
def test_a_signal_in_every_phase(phase, number, array_file, tmp_path):
    check_strike(phase, number, array_file, tmp_path / "runs")


class TestTwoAtOnce:
    def test_the_second_refuses_and_a_dead_one_is_no_hindrance(self, array_file, tmp_path, child):
        def train(say):
            class Told(TrainCallback):
                def read(self, progress):
                    say("training")

            gz.train(
                array_file, recipe=small(), minutes=5, out=tmp_path, checkpoint_seconds=0.1, callback=Told()
            )

        first = child(train)
        first.go()
        (path,) = wait_for(lambda: [each.parent for each in tmp_path.glob("*/checkpoints/*.safetensors")][:1])
        path = path.parent
        with pytest.raises(ResourceError, match=f"process {first.pid} on .* is training in"):
            gz.resume(path)
        first.kill()
        first.end()
        seen = gz.open_run(path).history.all()[-1]
        assert gz.resume(path, images=seen + 80).journal[-1]["images_seen"] == seen + 80


def wait_for(found, patience_s: float = PATIENCE_S):
    """What ``found`` returns, once it is something."""
    for _ in range(int(patience_s / 0.05)):
        if result := found():
            return result
        time.sleep(0.05)
    raise AssertionError("waited in vain")
