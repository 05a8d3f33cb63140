"""What only a GPU can show. Run with ``pytest --gpu tests/training/test_on_gpu.py``; see ``tools/on_gpu.sh``.

A failure lists the tensors that differ and by how much, so that one run tells what to mend.
"""

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

import ganzfeld as gz
from ganzfeld.bench.speed import SAME_WIDTHS
from ganzfeld.compute.batch_loader import from_cache, from_device
from ganzfeld.compute.cuda_graphs import REHEARSALS
from ganzfeld.compute.engine import choose_engine, release_memory
from ganzfeld.compute.fast_path import USUAL
from ganzfeld.data import open_images
from ganzfeld.data.order import batch_indices
from ganzfeld.errors import ResourceError
from ganzfeld.model import images_of_seeds, load_model
from ganzfeld.recipes import Recipe, resolve
from ganzfeld.runs.schedule import Horizon
from ganzfeld.training.build import start
from ganzfeld.training.recording import ReplayedUpdate
from ganzfeld.training.snapshot import capture, live_tensors, restore
from ganzfeld.training.trainer import Trainer
from ganzfeld.training.tuning.routes import fastest_route
from tests.conftest import blobs
from tests.training.conftest import small
from tests.training.test_recording import RECIPES

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no CUDA device on this machine"),
]

STEPS = 24
RECORDED = USUAL.model_copy(update={"recorded": True})
PATIENCE_S = 60.0
MOST_LINES = 12

FULL_SIZE = {
    "modern, 8": resolve("modern", {"batch": 8}),
    "modern, 128": resolve("modern", {"batch": 128}),
    "radford2015, 128": resolve("radford2015", {"batch": 128}),
    "shared backward, 128": resolve("radford2015", SAME_WIDTHS | {"batch": 128}),
}
"""Other sizes take other kernels, of other libraries."""


@pytest.fixture(scope="session")
def large_images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """2,048 colour images of 64 px in one array file; most come several times."""
    path = tmp_path_factory.mktemp("large") / "blobs.npy"
    np.save(path, np.tile(blobs(256, 64), (8, 1, 1, 1)))
    return path


@pytest.fixture
def little_memory() -> Iterator[int]:
    """1.5 GiB of the GPU's memory for this process, and no more."""
    limit = 3 * 2**29
    release_memory()
    torch.cuda.set_per_process_memory_fraction(limit / torch.cuda.get_device_properties(0).total_memory)
    yield limit
    torch.cuda.set_per_process_memory_fraction(1.0)
    release_memory()


def trainer_on_gpu(recipe: Recipe, data: Path, precision: str = "bfloat16", device: str = "cuda") -> Trainer:
    """At its beginning, with rates that change at every step."""
    dataset = open_images(data, size=recipe.size)
    trainer = start(recipe, dataset, choose_engine(device, precision), 0)
    trainer.horizons = (Horizon(0, recipe.batch * STEPS),)
    trainer.take(USUAL)
    return trainer


def differences(wanted: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> list[str]:
    """A line for each tensor that is not the same to the last bit."""
    lines = []
    for name, tensor in wanted.items():
        other = found[name]
        if not torch.equal(tensor, other):
            apart = (tensor.double() - other.double()).abs()
            scale = tensor.double().abs().max().item()
            lines.append(
                f"{name} {tuple(tensor.shape)}: {int((apart != 0).sum())} of {apart.numel()} numbers differ,"
                f" by {apart.max().item():.3g} at most where the largest is {scale:.3g}"
            )
    return lines


def require_equal(wanted: Mapping[str, Tensor], found: Mapping[str, Tensor], where: str) -> None:
    """Fail with what differs."""
    lines = differences(wanted, found)
    more = [f"and {len(lines) - MOST_LINES} more"] if len(lines) > MOST_LINES else []
    assert not lines, "\n".join(
        [f"{where}: {len(lines)} of {len(wanted)} tensors", *lines[:MOST_LINES], *more]
    )


def require_equal_steps(usual: Trainer, other: Trainer, steps: int = STEPS) -> None:
    """Advance both, and fail at the first step that is not the same to the last bit."""
    for index in range(steps):
        wanted, found = usual.advance(), other.advance()
        recordings = len(other.graphed_update.replay) if other.graphed_update else 0
        where = f"step {index} ({recordings} kinds of steps recorded)"
        require_equal(vars(wanted), vars(found), f"{where}, what it returns")
        require_equal(live_tensors(usual), live_tensors(other), f"{where}, state after it")


class TestRecordedUpdate:
    """CUDA graphs of steps against the usual steps."""

    @pytest.mark.parametrize("precision", ["float32", "bfloat16"])
    @pytest.mark.parametrize("name", ["modern", "radford2015"])
    def test_usual_steps_repeat(self, name, precision, array_file):
        """What follows means something only where two usual trainings agree."""
        one, other = (trainer_on_gpu(small(name), array_file, precision) for _ in range(2))
        require_equal_steps(one, other)

    @pytest.mark.parametrize("precision", ["float32", "bfloat16"])
    @pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES)
    def test_are_the_usual_ones(self, recipe, precision, array_file):
        self.compare(recipe, array_file, precision)

    @pytest.mark.parametrize("recipe", FULL_SIZE.values(), ids=FULL_SIZE)
    def test_are_the_usual_ones_at_full_size(self, recipe, large_images):
        self.compare(recipe, large_images, "bfloat16")

    @pytest.mark.parametrize("way", ["projection", "concatenation"])
    def test_with_classes(self, way, by_class):
        self.compare(small(classes=way), by_class, "bfloat16")

    def compare(self, recipe: Recipe, data: Path, precision: str) -> None:
        usual, other = (trainer_on_gpu(recipe, data, precision) for _ in range(2))
        other.take(RECORDED)
        assert isinstance(other.graphed_update, ReplayedUpdate)
        require_equal_steps(usual, other)
        kinds = {tuple(each.due(index) for each in usual.config.stabilisers) for index in range(STEPS)}
        assert len(other.graphed_update.replay) == len(kinds), "some kind of step was never recorded"
        for network in ("generator", "discriminator"):
            gradients = [
                {name: weight.grad for name, weight in getattr(each.gan, network).named_parameters()}
                for each in (usual, other)
            ]
            require_equal(gradients[0], gradients[1], f"gradients of the {network} left for readings")

    def test_outcomes_outlive_the_next_step(self, array_file):
        trainer, again = (trainer_on_gpu(small(), array_file) for _ in range(2))
        trainer.take(RECORDED)
        for index, outcome in enumerate([trainer.advance() for _ in range(STEPS)]):
            require_equal(vars(again.advance()), vars(outcome), f"step {index}")

    def test_are_recorded_while_another_thread_copies(self, array_file):
        """As the thread that saves does it."""
        usual, other = (trainer_on_gpu(small(), array_file) for _ in range(2))
        other.take(RECORDED)
        over, errors, saved = threading.Event(), [], capture(other, 0.0)

        def copy() -> None:
            try:
                while not over.is_set():
                    for tensor in saved.tensors.values():
                        tensor.cpu()
            except RuntimeError as error:
                errors.append(error)

        thread = threading.Thread(target=copy)
        thread.start()
        try:
            require_equal_steps(usual, other)
        finally:
            over.set()
            thread.join(PATIENCE_S)
        assert not errors, str(errors[0])

    def test_stop_at_what_is_not_finite(self, array_file):
        trainer = trainer_on_gpu(small(), array_file)
        trainer.take(RECORDED)
        for _ in range(4 * REHEARSALS + 4):
            trainer.advance()
        before = {name: tensor.clone() for name, tensor in trainer.gan.generator.named_parameters()}
        real = trainer.real
        trainer.real = lambda: real() * torch.nan
        assert not trainer.advance().all_finite
        trainer.real = real
        assert not trainer.advance().all_finite, "nor later"
        require_equal(before, dict(trainer.gan.generator.named_parameters()), "weights after it")

    @pytest.mark.parametrize("name", ["modern", "radford2015"])
    def test_measuring_finds_nothing_wrong(self, name, array_file):
        """Whether they pay is a matter of time; here, only that nothing kept them from being recorded."""
        trainer = trainer_on_gpu(small(name), array_file)
        before = {name: tensor.clone() for name, tensor in live_tensors(trainer).items()}
        messages: list[str] = []
        route = fastest_route(trainer, lambda done, total, what: messages.append(what))
        print(f"recorded: {route.recorded}; {messages}")
        assert not [each for each in messages if "not recorded" in each]
        require_equal(before, live_tensors(trainer), "the training after measuring")


class TestPrecision:
    def test_auto_is_bfloat16_where_the_gpu_has_it(self):
        assert choose_engine("auto").device.type == "cuda"
        has_it = torch.cuda.get_device_capability() >= (8, 0)
        assert choose_engine("cuda").precision == ("bfloat16" if has_it else "float32")

    @pytest.mark.parametrize("name", ["modern", "radford2015"])
    def test_bfloat16_and_the_processor_agree_with_float32(self, name, large_images):
        """Losses and logits of the first step from the same weights."""
        recipe = resolve(name, {"batch": 32})
        usual, halved, processor = (
            trainer_on_gpu(recipe, large_images, precision, device).advance()
            for precision, device in (("float32", "cuda"), ("bfloat16", "cuda"), ("float32", "cpu"))
        )
        for other, tolerance in ((processor, 0.01), (halved, 0.1)):
            for what in ("discriminator_loss", "generator_loss", "real_logits", "fake_logits"):
                wanted, found = (getattr(each, what).double().cpu() for each in (usual, other))
                apart = (wanted - found).abs().max().item()
                print(f"{name} {what}: {apart:.3g} apart")
                assert apart <= tolerance * max(1.0, wanted.abs().max().item()), what

    def test_weights_stay_in_float32(self, array_file):
        trainer = trainer_on_gpu(small(), array_file, "bfloat16")
        trainer.advance()
        floating = [each for each in live_tensors(trainer).values() if each.is_floating_point()]
        assert {each.dtype for each in floating} == {torch.float32}


class TestResuming:
    @pytest.mark.parametrize("recorded", [False, True], ids=["usual", "recorded"])
    def test_a_restored_training_has_the_same_bits(self, recorded, array_file):
        recipe = small(stabilisers=["spectral", {"name": "r1", "every": 4}], mirror=True)
        straight, restored = (trainer_on_gpu(recipe, array_file) for _ in range(2))
        for trainer in (straight, restored):
            trainer.take(RECORDED if recorded else USUAL)
        for _ in range(STEPS):
            straight.advance()
        restore(restored, capture(straight, 0.0))
        require_equal_steps(straight, restored)

    @pytest.mark.parametrize("name", ["modern", "radford2015"])
    def test_a_killed_run_becomes_what_it_would_have(self, name, array_file, tmp_path):
        """SIGKILL after a checkpoint; resumed on the GPU."""
        images, recipe = 24_000, tmp_path / "recipe.json"
        recipe.write_text(small(name, mirror=True).model_dump_json())
        settings = {"images": images, "checkpoint_seconds": 0.2, "device": "cuda"}
        straight = gz.train(array_file, recipe=recipe, out=tmp_path / "straight", **settings)
        killed = tmp_path / "killed" / straight.path.name
        command = [sys.executable, "-m", "ganzfeld", "train", str(array_file), "--recipe", str(recipe)]
        command += ["--images", str(images), "--checkpoint-seconds", "0.2", "--device", "cuda"]
        with (tmp_path / "output").open("w") as output:
            process = subprocess.Popen(
                [*command, "--out", str(killed.parent)], stdout=output, stderr=subprocess.STDOUT
            )
            waited = time.monotonic() + PATIENCE_S
            while process.poll() is None and time.monotonic() < waited:
                if list(killed.glob("checkpoints/*.safetensors")):
                    break
                time.sleep(0.01)
            process.kill()
        assert process.wait(PATIENCE_S) == -signal.SIGKILL, (tmp_path / "output").read_text()[-2000:]
        run = gz.open_run(killed)
        print(
            f"recorded: {straight.metadata.route.recorded}; killed, with checkpoints at {run.history.all()}"
        )
        assert run.metadata.route == straight.metadata.route
        run = gz.resume(killed)
        assert run.position.images_seen == images
        states = [each.history.newest(pytest.fail) for each in (straight, run)]
        assert states[0] is not None and states[1] is not None
        require_equal(states[0].tensors, states[1].tensors, "the resumed run")

    def test_a_seed_gives_the_same_weights_twice(self, array_file, tmp_path):
        states = []
        for out in ("one", "other"):
            run = gz.train(array_file, recipe=small(), images=800, device="cuda", out=tmp_path / out)
            state = run.history.newest(pytest.fail)
            assert state is not None
            states.append(state.tensors)
        require_equal(states[0], states[1], "the second run")


class TestMemory:
    def test_the_batch_that_would_have_fitted_is_named_and_fits(self, little_memory, large_images, tmp_path):
        message = self.refused(large_images, tmp_path, 4096)
        print(f"{message} ({little_memory:,} bytes)")
        assert "begin again with --batch" in message, message
        batch = int(message.rsplit(maxsplit=1)[-1])
        assert 2 <= batch < 4096
        release_memory()
        print(f"{torch.cuda.memory_allocated():,} bytes are still held")
        settings = {"recipe": "radford2015", "device": "cuda", "out": tmp_path / "runs"}
        run = gz.train(large_images, batch=batch, images=8 * batch, **settings)
        assert run.position.images_seen == 8 * batch

    def refused(self, data: Path, out: Path, batch: int) -> str:
        with pytest.raises(ResourceError, match=f"memory ran out with a batch of {batch}") as caught:
            gz.train(data, recipe="radford2015", batch=batch, images=2 * batch, device="cuda", out=out)
        return caught.value.message


class TestImages:
    def test_those_on_the_gpu_are_those_of_the_cache(self, large_images):
        dataset, engine = open_images(large_images, size=(64, 64)), choose_engine("cuda")
        indices = batch_indices(dataset.num_pictures, 0, 0, 128, 0, 1)
        assert torch.equal(from_cache(dataset, engine)(indices), from_device(dataset, engine)(indices))

    def test_a_seed_is_the_same_image_on_gpu_and_processor(self, large_images, tmp_path):
        run = gz.train(large_images, images=4000, device="cuda", out=tmp_path)
        generator = load_model(run.path / "model" / "last").generator
        seeds = range(64)
        wanted = images_of_seeds(generator, seeds).astype(int)
        generator.to("cuda")
        most = {}
        usual = torch.backends.cudnn.allow_tf32
        try:
            for allowed in (True, False):
                torch.backends.cudnn.allow_tf32 = allowed
                apart = abs(images_of_seeds(generator, seeds) - wanted)
                most[allowed] = apart.max()
                print(f"TF32 {allowed}: {apart.max()} levels at most, {(apart > 0).mean():.3%} of values")
        finally:
            torch.backends.cudnn.allow_tf32 = usual
        assert most[False] <= 1
        assert most[True] <= 16

    def test_a_seed_is_the_same_image_alone_and_among_others(self, array_file, tmp_path):
        run = gz.train(array_file, recipe=small(), images=800, device="cuda", out=tmp_path)
        generator = load_model(run.path / "model" / "last").generator.to("cuda")
        alone, among = images_of_seeds(generator, [5]), images_of_seeds(generator, range(70))
        assert np.array_equal(alone[0], among[5])
