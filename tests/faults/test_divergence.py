"""FAULTS 20 and 23: numbers that stop being finite, and memory that runs out."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import ganzfeld as gz
from ganzfeld.errors import ResourceError, TrainingFailed
from ganzfeld.training.trainer import Trainer
from tests.training.conftest import PATIENCE_S, small

DIVERGES_AT = 30
"""The step before which something is spoilt; trainings below are saved before it and end long after it."""


def plant(tensor: torch.Tensor, value: float) -> None:
    """Overwrite one number, as a flipped bit in memory would."""
    tensor.data[(0,) * tensor.dim()] = value


def spoil_weight(trainer: Trainer) -> None:
    plant(next(trainer.gan.generator.parameters()), torch.nan)


def spoil_average(trainer: Trainer) -> None:
    plant(next(trainer.gan.generator_ema.parameters()), torch.inf)


def spoil_moment(trainer: Trainer) -> None:
    """What Adam remembers of a gradient: the next update carries it into the weight."""
    optimizer = trainer.gan.discriminator_optimizer
    plant(next(iter(optimizer.state.values()))["exp_avg"], torch.nan)


def spoil_gradient(trainer: Trainer) -> None:
    trainer.take(trainer.route.model_copy(update={"traced": False}))  # a trace does not call hooks
    parameter = next(trainer.gan.discriminator.parameters())

    def infinite(gradient):
        hook.remove()
        return gradient * torch.inf

    hook = parameter.register_hook(infinite)


def spoil_loss(trainer: Trainer) -> None:
    """An image that is not a number, once."""
    dataset = trainer.real() * torch.nan

    def real():
        del trainer.real  # the method of the class shows again
        return dataset

    trainer.real = real


SPOILERS = [spoil_weight, spoil_average, spoil_moment, spoil_gradient, spoil_loss]


@pytest.fixture
def spoilt(monkeypatch):
    """Plants a fault into every training that comes to ``DIVERGES_AT``, ``times`` times in all."""

    def plant(spoil, times: int = 1) -> None:
        advance, left = Trainer.advance, [times]

        def struck(trainer: Trainer):
            if trainer.index == DIVERGES_AT and left[0]:
                left[0] -= 1
                spoil(trainer)
            return advance(trainer)

        monkeypatch.setattr(Trainer, "advance", struck)

    return plant


@pytest.fixture
def options(array_file, tmp_path):
    return {
        "data": array_file,
        "recipe": small(),
        "images": 800,
        "out": tmp_path,
        "checkpoint_seconds": 0.001,
    }


def is_finite(run: gz.Run) -> bool:
    """Whether every checkpoint and the model are."""
    saved = [run.history.read(images_seen).tensors for images_seen in run.history.all()]
    if (run.path / "model" / "last").exists():
        saved.append(run.generator.state_dict())
    return all(bool(torch.isfinite(tensor).all()) for tensors in saved for tensor in tensors.values())


@pytest.mark.parametrize("spoil", SPOILERS)
class TestNotFinite:
    def test_ends_before_it_is_saved_and_names_the_last_good_state(self, spoil, spoilt, options, tmp_path):
        spoilt(spoil)
        with pytest.raises(TrainingFailed, match="finite") as caught:
            gz.train(**options)
        (path,) = tmp_path.iterdir()
        run = gz.open_run(path)
        saved = run.history.all()
        assert saved
        assert saved[-1] <= 8 * DIVERGES_AT
        assert is_finite(run)
        assert str(run.history.path(saved[-1])) in caught.value.hint
        assert f"--from {saved[-1]} --set generator.optimizer.lr" in caught.value.hint
        assert (path / "report.html").exists()

    def test_may_go_back_and_on_more_slowly(self, spoil, spoilt, options):
        spoilt(spoil)
        run = gz.train(**options, on_divergence="rollback")
        assert run.journal[-1]["images_seen"] == 800
        assert is_finite(run)
        (event,) = run.metadata.events
        assert event.kind == "rolled back"
        assert event.images_seen <= 8 * DIVERGES_AT
        assert "0.5 times" in event.what
        newest = run.history.newest(pytest.fail)
        assert newest is not None
        assert newest.card.position.rate_scale == 0.5
        steps = [entry["step"] for entry in run.journal]
        assert steps == sorted(steps)


def test_going_back_has_an_end(spoilt, options):
    spoilt(spoil_weight, times=10**6)
    with pytest.raises(TrainingFailed):
        gz.train(**options, on_divergence="rollback")


def test_what_diverges_before_anything_is_saved_begins_again(spoilt, options):
    spoilt(spoil_weight)
    run = gz.train(**options | {"checkpoint_seconds": 1000}, on_divergence="rollback")
    assert run.metadata.events[0].images_seen == 0
    assert run.journal[-1]["images_seen"] == 800


def test_a_report_that_cannot_be_drawn_does_not_hide_why_the_training_ended(spoilt, options, monkeypatch):
    """Without memory the libraries that draw it cannot even be loaded."""

    def drawn(_run):
        raise ImportError("failed to map segment from shared object")

    monkeypatch.setattr("ganzfeld.training.loop.write_report", drawn)
    spoilt(spoil_weight)
    with pytest.raises(TrainingFailed, match="finite"):
        gz.train(**options)


TRAINS_IN_LITTLE_MEMORY = """
import mmap, resource, sys
from pathlib import Path
import ganzfeld as gz
from ganzfeld.errors import ResourceError
from ganzfeld.training.callbacks import TrainCallback
from tests.training.conftest import small

class Takes(TrainCallback):
    def started(self, run, summary):
        self.ballast = mmap.mmap(-1, 2**30)
        in_use = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        resource.setrlimit(resource.RLIMIT_AS, (in_use + 2**26, hard))

_, data, out = sys.argv
wanted = dict(recipe=small(), batch=2**15, images=10**6, checkpoint_seconds=0.01, route="plain")
try:
    gz.train(data, out=out, callback=Takes(), **wanted)
except ResourceError as error:
    print(error.message)
    sys.exit(error.exit_code)
"""
"""In a process of its own, since memory that earlier tests have freed would serve it again.

For the same reason the limit comes before the first step, and no layer is measured (a plain route). The
images of a batch are more than is left, and are asked for first: so it is torch that gets no memory,
whichever instructions the processor has. Some libraries crash when they get none. The ballast stands for what
a long training holds on to, and one that begins again does not.
"""


@pytest.mark.thorough
@pytest.mark.machine
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc of Linux")
def test_memory_that_runs_out(array_file, tmp_path):
    end = subprocess.run(
        [sys.executable, "-c", TRAINS_IN_LITTLE_MEMORY, array_file, tmp_path],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
        timeout=PATIENCE_S,
        # Or a thread that happens to need memory of its own reserves all that is left of the addresses.
        env=os.environ | {"MALLOC_ARENA_MAX": "1"},
    )
    assert end.returncode == ResourceError.exit_code, end.stderr[-4000:]
    told = re.search(r"ran out with a batch of 32768 after 0 images; a batch of (\d+) fits", end.stdout)
    assert told, end
    batch = int(told[1])
    assert 4096 <= batch <= 2**14, "as much as a new process has, and not what is left beside the ballast"
    (path,) = tmp_path.iterdir()
    newest = gz.open_run(path).history.newest(pytest.fail)
    assert newest is not None and newest.images_seen == 0, "saved, since no step was half made"
    again = gz.resume(path, from_images=0, settings={"batch": batch}, images=batch)
    assert again.position.images_seen == batch
