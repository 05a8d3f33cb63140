"""``gz.watch``: the loop stays as it is, the folder is complete, and errors say what to do."""

import copy
import io
import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.optim.optimizer import _global_optimizer_post_hooks

import ganzfeld as gz
from ganzfeld.cli import main
from ganzfeld.errors import DataError, UsageError
from ganzfeld.runs import WatchedRun
from ganzfeld.watching import Watch
from tests.conftest import blobs
from tests.watching.conftest import AT_EVERY_STEP, PlainLoop


def watched(loop: PlainLoop, data: Path, out: Path, **options) -> Watch:
    return Watch(loop.generator, loop.discriminator, data, out, pace=AT_EVERY_STEP, **options)


def exit_code_of(words: list[str]) -> object:
    """Run a command in this process."""
    with pytest.raises(SystemExit) as end:
        main(words)
    return end.value.code or 0


@pytest.fixture
def folder(plain_loop: PlainLoop, array_file: Path, tmp_path: Path) -> Path:
    """A folder of 20 steps."""
    with watched(plain_loop, array_file, tmp_path / "mine") as watch:
        for step in range(1, 21):
            watch.step(8 * step, plain_loop.step())
    return tmp_path / "mine"


class TestLoop:
    @pytest.mark.parametrize("given", [False, True])
    def test_it_ends_the_same_bit_for_bit(self, given: bool, array_file: Path, tmp_path: Path):
        plain, looked_at = PlainLoop(blobs(200, 16)), PlainLoop(blobs(200, 16))
        states = []
        for loop in (plain, looked_at):
            torch.manual_seed(3)
            random.seed(3)
            np.random.seed(3)
            if loop is plain:
                for _ in range(50):
                    loop.step()
            else:
                optimizers = (loop.optimizer_g, loop.optimizer_d) if given else None
                with watched(loop, array_file, tmp_path / "mine", optimizers=optimizers) as watch:
                    for step in range(1, 51):
                        watch.step(8 * step, loop.step())
            states.append(loop.state | {"python": random.getstate(), "numpy": str(np.random.get_state())})
        ours, theirs = states
        assert ours.keys() == theirs.keys()
        for name, value in ours.items():
            same = (
                torch.equal(value, theirs[name]) if isinstance(value, torch.Tensor) else value == theirs[name]
            )
            assert same, name
        entries = gz.open_run(tmp_path / "mine").journal
        assert sum("diversity" in entry.get("health", {}) for entry in entries) >= 5, "it was looked at"

    def test_no_hook_and_no_attribute_remains(self, plain_loop: PlainLoop, array_file: Path, tmp_path: Path):
        networks = (plain_loop.generator, plain_loop.discriminator)
        before = [{name: id(value) for name, value in vars(m).items()} for n in networks for m in n.modules()]
        with watched(plain_loop, array_file, tmp_path / "mine") as watch:
            for step in range(1, 20):
                watch.step(8 * step, plain_loop.step())
        after = [{name: id(value) for name, value in vars(m).items()} for n in networks for m in n.modules()]
        assert after == before
        assert not any(m._forward_hooks or m._forward_pre_hooks for n in networks for m in n.modules())
        assert not _global_optimizer_post_hooks

    def test_copies_and_saved_networks_take_no_hook_along(
        self, plain_loop: PlainLoop, array_file: Path, tmp_path: Path
    ):
        with watched(plain_loop, array_file, tmp_path / "mine") as watch:
            watch.step(8, plain_loop.step())
            average = copy.deepcopy(plain_loop.generator)
            calls = watch._recorder.num_calls["generator"]
            average(torch.randn(2, 8, 1, 1))
            assert watch._recorder.num_calls["generator"] == calls
            torch.save(plain_loop.generator, buffer := io.BytesIO())
            buffer.seek(0)
            torch.load(buffer, weights_only=False)(torch.randn(2, 8, 1, 1))
            assert watch._recorder.num_calls["generator"] == calls

    def test_an_exception_closes_the_folder_and_is_raised(
        self, plain_loop: PlainLoop, array_file: Path, tmp_path: Path
    ):
        with pytest.raises(ZeroDivisionError), watched(plain_loop, array_file, tmp_path / "mine") as watch:
            for step in range(1, 13):
                watch.step(8 * step, plain_loop.step())
            raise ZeroDivisionError("of the user")
        run = gz.open_run(tmp_path / "mine")
        assert isinstance(run, WatchedRun)
        assert run.watched.failure == "ZeroDivisionError: of the user"
        assert run.watched.ended
        assert run.journal[-1]["images_seen"] == 96 and "health" in run.journal[-1]
        assert (run.path / "verdict.json").exists() and (run.path / "report.html").exists()

    def test_a_group_of_readings_that_fails_is_left_out_and_noted_once(
        self, array_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ):
        """Let the generator refuse batches of another size than that of the loop."""

        class Odd(nn.Module):
            def __init__(self, inner: nn.Module) -> None:
                super().__init__()
                self.inner = inner

            def forward(self, latents: torch.Tensor) -> torch.Tensor:
                if len(latents) != 8:
                    raise ValueError("only eight at once")
                return self.inner(latents)

        loop = PlainLoop(blobs(200, 16))
        loop.generator = Odd(loop.generator)  # pyright: ignore[reportAttributeAccessIssue]
        with watched(loop, array_file, tmp_path / "mine") as watch:
            for step in range(1, 31):
                watch.step(8 * step, loop.step())
        run = WatchedRun(tmp_path / "mine")
        readings = {name for entry in run.journal for name in entry.get("health", {})}
        assert {"separation", "push_real", "gradient_generator"} <= readings
        assert "diversity" not in readings
        lines = capsys.readouterr().err.splitlines()
        about = [line for line in lines if "only eight at once" in line]
        assert len(about) == 1
        assert run.watched.notes == (about[0].removeprefix("gz.watch: "),)

    def test_a_discriminator_of_several_outputs(self, array_file: Path, tmp_path: Path):
        class Two(nn.Module):
            def __init__(self, inner: nn.Module) -> None:
                super().__init__()
                self.inner = inner

            def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
                return self.inner(images), images.mean((1, 2, 3))

        loop = PlainLoop(blobs(200, 16))
        two = Two(loop.discriminator)
        loop.discriminator = lambda images: two(images)[0]  # pyright: ignore[reportAttributeAccessIssue]
        with Watch(loop.generator, two, array_file, tmp_path / "mine", pace=AT_EVERY_STEP) as watch:
            for step in range(1, 20):
                watch.step(8 * step, loop.step())
        readings = {n for entry in gz.open_run(tmp_path / "mine").journal for n in entry.get("health", {})}
        assert {"separation", "diversity", "dead_discriminator", "batch_leak"} <= readings

    def test_updates_without_an_optimizer_of_torch(self, array_file: Path, tmp_path: Path):
        class Manual:
            def __init__(self, network: nn.Module) -> None:
                self.network = network

            def zero_grad(self) -> None:
                self.network.zero_grad()

            @torch.no_grad()
            def step(self) -> None:
                for weight in self.network.parameters():
                    assert weight.grad is not None
                    weight -= 0.01 * weight.grad

        loop = PlainLoop(blobs(200, 16))
        loop.optimizer_g, loop.optimizer_d = Manual(loop.generator), Manual(loop.discriminator)  # pyright: ignore
        with watched(loop, array_file, tmp_path / "mine") as watch:
            for step in range(1, 40):
                watch.step(8 * step, loop.step())
        run = gz.open_run(tmp_path / "mine")
        last = next(
            entry["health"] for entry in reversed(run.journal) if "push_real" in entry.get("health", {})
        )
        assert (last["push_real"], last["push_fake"], last["push_generator"]) == (1, -1, 1)
        assert last["cleared_generator"] == last["cleared_discriminator"] == 1


class TestFolder:
    def test_the_journal_is_that_of_a_run(self, folder: Path, array_file: Path):
        run = gz.open_run(folder)
        assert isinstance(run, WatchedRun)
        keys = [
            *("step", "images_seen", "seconds", "rate"),
            *("loss_generator", "loss_discriminator", "logit_real", "logit_fake"),
        ]
        assert all(list(entry)[:8] == keys for entry in run.journal)
        assert [entry["images_seen"] for entry in run.journal] == [*range(8, 161, 8), 160]
        last = run.journal[-1]["health"]
        assert {
            "diversity",
            "separation",
            "checkerboard",
            "dead_generator",
            "saturated",
            "rate_generator",
        } <= set(last)
        assert run.watched.data == str(array_file)
        assert (run.watched.size, run.watched.channels, run.watched.num_pictures) == ((16, 16), 3, 200)
        assert (run.watched.loss, run.watched.output, run.watched.generator.width) == (
            "non-saturating",
            (-1.0, 1.0),
            8,
        )
        assert run.sample_files
        assert "watched by" in (folder / "report.html").read_text()
        verdict = json.loads((folder / "verdict.json").read_text())
        assert verdict == run.diagnose().as_json()

    def test_the_doctor_reads_it(self, folder: Path, capsys: pytest.CaptureFixture[str]):
        assert exit_code_of(["doctor", str(folder)]) == 0
        assert "watched by gz.watch" in capsys.readouterr().out
        assert exit_code_of(["doctor", str(folder), "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["run"] == str(folder)

    @pytest.mark.parametrize(
        "words",
        [
            ["sample"],
            ["resume"],
            ["resume", "--from", "0"],
            ["eval"],
            ["lab", "run", "upsampling", "--on"],
        ],
    )
    def test_commands_that_need_a_model_say_that_there_is_none(
        self, folder: Path, words: list[str], capsys: pytest.CaptureFixture[str]
    ):
        options = words[1:] if words[0] == "resume" else []
        words = [words[0], str(folder), *options] if words[0] != "lab" else [*words, str(folder)]
        assert exit_code_of(words) == 2
        error = capsys.readouterr().err
        assert "was written by gz.watch" in error and "no model" in error

    def test_it_cannot_be_loaded(self, folder: Path):
        with pytest.raises(UsageError, match=r"gz\.watch"):
            gz.load(folder)
        with pytest.raises(UsageError, match=r"gz\.watch"):
            gz.open_run(folder).sample(1)

    def test_images_in_it_are_no_data(self, folder: Path):
        with pytest.raises(DataError):
            gz.open_images(folder.parent, size=16)

    def test_what_is_not_known_is_said(self, folder: Path):
        unjudged = {entry.name for entry in gz.open_run(folder).diagnose().unjudged}
        assert {"late-decay", "memorisation"} <= unjudged


class TestArguments:
    def test_every_kind(self, plain_loop: PlainLoop, array_file: Path, tmp_path: Path):
        g, d, out = plain_loop.generator, plain_loop.discriminator, tmp_path / "mine"
        with pytest.raises(UsageError, match=r"generator must be a torch\.nn\.Module, not a function"):
            gz.watch(lambda z: z, d, array_file, out)  # pyright: ignore[reportArgumentType]
        with pytest.raises(UsageError, match="data must be the path"):
            gz.watch(g, d, [1, 2], out)  # pyright: ignore[reportArgumentType]
        with pytest.raises(DataError, match="nothing at"):
            gz.watch(g, d, tmp_path / "none", out)
        with pytest.raises(UsageError, match="optimizers must be two optimizers of torch, not a Adam"):
            gz.watch(g, d, array_file, out, plain_loop.optimizer_g)  # pyright: ignore[reportArgumentType]
        (tmp_path / "there").mkdir()
        with pytest.raises(UsageError, match="exists already") as error:
            gz.watch(g, d, array_file, tmp_path / "there")
        assert "there-002" in error.value.hint
        assert not out.exists()

    def test_every_argument_of_a_step(self, plain_loop: PlainLoop, array_file: Path, tmp_path: Path):
        watch = gz.watch(plain_loop.generator, plain_loop.discriminator, array_file, tmp_path / "mine")
        with pytest.raises(UsageError, match="outside the block"):
            watch.step(8, (0.1, 0.2))
        with watch:
            wrong: list[tuple[Any, str]] = [
                (0.3, "losses must be two numbers, not a float"),
                ({"G": 1, "D": 2}, "losses has no generator and no discriminator, but G, D"),
                ((0.1, "high"), "the loss of the discriminator must be a number, not a str"),
                (
                    (torch.zeros(3), 0.1),
                    r"the loss of the generator must be a number, not a tensor of shape \(3,\)",
                ),
            ]
            for losses, message in wrong:
                with pytest.raises(UsageError, match=message):
                    watch.step(8, losses)
            with pytest.raises(UsageError, match="has not called the generator and the discriminator"):
                watch.step(8, (0.1, 0.2))
            plain_loop.step()
            with pytest.raises(UsageError, match="real must be a batch of images"):
                watch.step(16, (0.1, 0.2), real=torch.zeros(3))
            watch.step(16, {"generator": 0.1, "discriminator": torch.tensor([0.2])})
            with pytest.raises(UsageError, match="at least 16, not 8"):
                watch.step(8, (0.1, 0.2))
        with pytest.raises(UsageError, match="used already"), watch:
            pass

    def test_data_of_another_size(self, plain_loop: PlainLoop, array_file: Path, tmp_path: Path):
        data = gz.open_images(array_file, size=(24, 16))
        with gz.watch(plain_loop.generator, plain_loop.discriminator, data, tmp_path / "mine") as watch:
            losses = plain_loop.step()
            with pytest.raises(UsageError, match=r"makes images of 3x16x16 .* those of data are 3x16x24"):
                watch.step(8, losses)
        assert not (tmp_path / "mine").exists()

    def test_channels_that_no_data_have(self, array_file: Path, tmp_path: Path):
        generator, discriminator = nn.ConvTranspose2d(4, 2, 8), nn.Conv2d(2, 1, 8)
        with gz.watch(generator, discriminator, array_file, tmp_path / "mine") as watch:
            discriminator(generator(torch.randn(2, 4, 1, 1)))
            with pytest.raises(UsageError, match="2 channels"):
                watch.step(2, (0.1, 0.2))
