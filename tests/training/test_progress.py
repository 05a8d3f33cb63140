"""What Python shows and calls while something takes long, and what becomes of a run whose callback fails."""

import contextlib
import dataclasses
import io
import os
import re
import sys
import types

import pytest
import torch

import ganzfeld as gz
from ganzfeld.cli import main
from ganzfeld.errors import UsageError
from ganzfeld.progress import CountDisplay, display
from ganzfeld.training.callbacks import TRAINING, GuardedCallback, Progress, TrainCallback
from ganzfeld.training.progress_display import (
    FunctionCallback,
    MovingLine,
    NotebookLine,
    PlainLines,
    callback_for,
)
from tests.training.conftest import SMALL, small


def weights_of(run: gz.Run) -> dict[str, torch.Tensor]:
    return run.generator.state_dict()


def without_numbers(text: str) -> list[str]:
    return [re.sub(r"[\d.,]+", "0", line) for line in text.splitlines() if line]


@contextlib.contextmanager
def stderr_of_a_notebook(monkeypatch: pytest.MonkeyPatch):
    """A stream in the place of a kernel's, which ``display`` knows by its class; no kernel is pinned here."""

    class OutStream(io.StringIO):
        pass

    module = types.ModuleType("ipykernel.iostream")
    monkeypatch.setattr(module, "OutStream", OutStream, raising=False)
    monkeypatch.setitem(sys.modules, "ipykernel.iostream", module)
    with contextlib.redirect_stderr(OutStream()) as stream:
        yield stream


@contextlib.contextmanager
def stderr_of_a_terminal(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TERM", "xterm")
    master, slave = os.openpty()
    with os.fdopen(slave, "w") as terminal, contextlib.redirect_stderr(terminal):
        yield
    os.close(master)


def seen_in_a_notebook(written: str) -> list[str]:
    """The rows that are left when each carriage return goes back to the beginning of its row."""
    rows = []
    for row in written.split("\n"):
        shown = ""
        for text in row.split("\r"):
            shown = text + shown[len(text) :]
        rows.append(shown.rstrip())
    return [row for row in rows if row]


ENDING = ["saving the run", "drawing the sample grid", "writing the report"]


class TestWhatIsShown:
    @pytest.mark.parametrize("kind", ["plain", "moving", "notebook"])
    def test_what_is_done_after_the_last_step_is_shown(self, kind, array_file, tmp_path, monkeypatch):
        monkeypatch.setenv("GANZFELD_FEATURES", "random-convolutions")
        callback = {"plain": PlainLines, "moving": MovingLine, "notebook": NotebookLine}[kind]
        if kind == "moving":
            monkeypatch.setenv("TERM", "xterm")
            stream = io.StringIO()
            stream.isatty = lambda: True
        else:
            stream = io.StringIO()
        with contextlib.redirect_stderr(stream):
            gz.train(array_file, recipe=small(), images=16, out=tmp_path, callback=callback())
        shown = stream.getvalue()
        at = [shown.rindex(what) for what in (*ENDING[:2], "measuring quality, 1 of 1", ENDING[2])]
        assert at == sorted(at)
        assert "saving the run: " not in shown, "what has no pieces is not counted"
        assert "\x1b" not in shown or kind == "moving"

    def test_python_shows_what_the_command_shows(self, array_file, tmp_path, capsys):
        gz.train(array_file, recipe=small(), images=16, out=tmp_path / "python")
        in_python = capsys.readouterr()
        settings = [word for name, value in SMALL.items() for word in ("--set", f"{name}={value}")]
        words = ["train", str(array_file), *settings, "--images", "16", "--out", str(tmp_path / "command")]
        with pytest.raises(SystemExit):
            main(words)
        by_command = capsys.readouterr().err.replace("command", "python")
        assert in_python.out == ""
        assert without_numbers(in_python.err)[-4:] == without_numbers(by_command)[-4:]
        assert "into " in in_python.err and "8 images, " in in_python.err

    def test_nothing_is_shown_where_nobody_wants_it(self, array_file, tmp_path, capsys):
        run = gz.train(array_file, recipe=small(), images=16, out=tmp_path, progress=False)
        gz.resume(run.path, images=32, progress=False)
        gz.open_images(array_file, (16, 16), progress=False)
        gz.evaluate(run, num=50, only=["diversity"], features="random-convolutions", progress=False)
        assert capsys.readouterr() == ("", "")

    def test_each_place_has_its_display(self, monkeypatch):
        assert type(callback_for(True)) is PlainLines
        with stderr_of_a_terminal(monkeypatch):
            assert display() == "terminal" and type(callback_for(True)) is MovingLine
            monkeypatch.setenv("TERM", "dumb")
            assert type(callback_for(True)) is PlainLines
        with stderr_of_a_notebook(monkeypatch):
            assert type(callback_for(True)) is NotebookLine
            with contextlib.redirect_stderr(io.StringIO()):
                assert display() == "lines", "a cell that is captured"

    def test_only_the_first_of_several_processes_shows_or_calls(self, monkeypatch):
        for name, value in (("WORLD_SIZE", "2"), ("RANK", "1")):
            monkeypatch.setenv(name, value)
        assert type(callback_for(True)) is TrainCallback
        assert type(callback_for(print)) is TrainCallback
        monkeypatch.setenv("RANK", "0")
        assert type(callback_for(print)) is FunctionCallback

    def test_a_notebook_has_one_line_that_moves(self, array_file, tmp_path, monkeypatch):
        with stderr_of_a_notebook(monkeypatch) as stream:
            gz.train(array_file, recipe=small(), images=160, out=tmp_path, checkpoint_seconds=0.01)
        rows = seen_in_a_notebook(stream.getvalue())
        assert "\x1b" not in stream.getvalue()
        assert [row.split(":")[0] for row in rows if row.startswith(TRAINING + ":")] == [TRAINING]
        assert rows[-1].startswith("training: 160 images")
        assert any(row.startswith("into ") for row in rows)

    def test_a_count_in_a_notebook_leaves_nothing_and_no_flood(self, monkeypatch):
        with stderr_of_a_notebook(monkeypatch) as stream:
            count = CountDisplay()
            for done in range(1001):
                count(done, 1000, "decoding images")
        assert "decoding images: 0 of 1,000" in stream.getvalue()
        assert seen_in_a_notebook(stream.getvalue()) == []
        assert len(stream.getvalue()) < 2_000


class TestCallback:
    def test_it_is_called_with_where_the_run_stands(self, array_file, tmp_path):
        called: list[Progress] = []
        run = gz.train(array_file, recipe=small(), images=32, out=tmp_path, progress=called.append)
        assert {type(each) for each in called} == {gz.Progress}
        last = [each for each in called if each.activity == TRAINING][-1]
        written = run.journal[-1]
        assert last.images_seen == 32
        assert last.remaining_s is not None and 0 < last.remaining_s < 60, "the last sample grid is to come"
        assert last.loss_generator == written["loss_generator"]
        assert last.loss_discriminator == written["loss_discriminator"]
        assert last.seconds > 0 and (last.done, last.total, last.quality) == (0, 0, None)
        with pytest.raises(dataclasses.FrozenInstanceError):
            last.images_seen = 0  # pyright: ignore[reportAttributeAccessIssue]
        documented = (Progress.__doc__ or "") + (gz.train.__doc__ or "")
        assert all(f"``{field.name}``" in documented for field in dataclasses.fields(Progress))

    def test_it_hears_what_is_done_before_and_after(self, array_file, tmp_path, monkeypatch):
        monkeypatch.setenv("GANZFELD_FEATURES", "random-convolutions")
        monkeypatch.setenv("GANZFELD_CACHE", str(tmp_path / "cache"))
        called: list[Progress] = []
        run = gz.train(array_file, recipe=small(), images=16, out=tmp_path / "runs", progress=called.append)
        activities = list(dict.fromkeys(each.activity for each in called))
        assert activities[0] == "decoding images" and TRAINING in activities
        assert activities.index(TRAINING) < len(activities) - 1, "the closing judgement"
        assert all(0 <= each.done <= each.total for each in called)
        assert called[-1].images_seen == 16
        judged, again = run.metadata.best, list[Progress]()
        gz.resume(run.path, images=32, progress=again.append)
        known = [each.quality for each in again if each.activity == TRAINING]
        assert judged and known[0] == judged.kernel_distance, "known from before"

    @pytest.mark.parametrize("answer", [True, False, "stop"])
    def test_what_it_returns_is_ignored(self, array_file, tmp_path, answer):
        run = gz.train(array_file, recipe=small(), images=32, out=tmp_path, progress=lambda p: answer)
        assert run.position.images_seen == 32

    def test_a_watcher_still_watches(self, array_file, tmp_path, capsys):
        class Listener(TrainCallback):
            heard: list[int]

            def read(self, progress):
                self.heard.append(progress.images_seen)

        listener = Listener()
        listener.heard = []
        gz.train(array_file, recipe=small(), images=16, out=tmp_path, callback=listener)
        assert listener.heard[-1] == 16 and capsys.readouterr().err == ""

    def test_the_guard_passes_everything_on(self):
        methods = {name for name, value in vars(TrainCallback).items() if callable(value)}
        assert methods <= set(vars(GuardedCallback)), "a method that the guard lacks"


class TestFailingCallback:
    @pytest.mark.parametrize("kind", [ZeroDivisionError, KeyboardInterrupt, SystemExit, MemoryError])
    def test_the_run_is_saved_and_goes_on_exactly(self, array_file, tmp_path, kind):
        def fail(progress: Progress) -> None:
            if progress.activity == TRAINING:
                raise kind("a mistake of the user's")

        options = {"recipe": small(), "images": 64, "checkpoint_seconds": 1000.0}
        with pytest.raises(kind, match="a mistake of the user's") as caught:
            gz.train(array_file, out=tmp_path / "half", progress=fail, **options)
        (folder,) = (tmp_path / "half").iterdir()
        assert str(folder) in caught.value.__notes__[-1]
        half = gz.open_run(folder)
        assert 0 < half.position.images_seen < 64
        assert half.model.card.images_seen == half.position.images_seen
        assert (folder / "report.html").is_file() and (folder / "verdict.json").is_file()
        whole = gz.train(array_file, out=tmp_path / "whole", progress=False, **options)
        expected = weights_of(whole)
        resumed = weights_of(gz.resume(folder, progress=False))
        assert all(torch.equal(resumed[name], expected[name]) for name in expected)

    def test_while_it_is_judged(self, array_file, tmp_path, monkeypatch):
        monkeypatch.setenv("GANZFELD_FEATURES", "random-convolutions")

        def fail(progress: Progress) -> None:
            if progress.images_seen == 16 and progress.activity != TRAINING:
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            gz.train(array_file, recipe=small(), images=16, out=tmp_path, progress=fail)
        (run,) = map(gz.open_run, tmp_path.iterdir())
        assert run.metadata.final is None and run.model.card.images_seen == 16

    def test_before_there_is_a_run(self, array_file, tmp_path, monkeypatch):
        monkeypatch.setenv("GANZFELD_CACHE", str(tmp_path / "cache"))

        def fail(progress: Progress) -> None:
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            gz.train(array_file, recipe=small(), images=16, out=tmp_path / "runs", progress=fail)
        assert list((tmp_path / "runs").iterdir()) == []
        gz.train(array_file, recipe=small(), images=16, out=tmp_path / "runs", progress=False)


class TestOtherLongWork:
    def test_all_of_it_calls_back(self, array_file, tmp_path, monkeypatch, short_training):
        monkeypatch.setenv("GANZFELD_CACHE", str(tmp_path / "cache"))
        called: list[tuple[int, int, str]] = []

        def note(done: int, total: int, what: str) -> None:
            called.append((done, total, what))

        gz.open_images(array_file, (16, 16), progress=note)
        assert called[-1] == (200, 200, "decoding images")
        run = gz.train(array_file, recipe=small(), images=16, out=tmp_path / "runs", progress=False)
        called.clear()
        gz.evaluate(run, num=50, features="random-convolutions", only=["diversity"], progress=note)
        assert "making images" in {what for _, _, what in called}
        called.clear()
        gz.lab.run("leaky-slope", on=short_training, progress=note)
        assert called[-1][2] == "training for the lab"

    def test_all_of_it_shows_itself(self, array_file, tmp_path, monkeypatch):
        monkeypatch.setenv("GANZFELD_CACHE", str(tmp_path / "cache"))
        with stderr_of_a_notebook(monkeypatch) as stream:
            gz.open_images(array_file, (16, 16))
        assert "decoding images" in stream.getvalue()
        run = gz.train(array_file, recipe=small(), images=16, out=tmp_path / "runs", progress=False)
        with stderr_of_a_notebook(monkeypatch) as stream:
            gz.evaluate(run, num=50, features="random-convolutions", only=["diversity"])
        assert "making images" in stream.getvalue()
        assert seen_in_a_notebook(stream.getvalue()) == []

    def test_what_progress_cannot_be(self, array_file, tmp_path):
        calls = [
            lambda wrong: gz.train(array_file, recipe=small(), images=16, out=tmp_path, progress=wrong),
            lambda wrong: gz.resume(tmp_path, progress=wrong),
            lambda wrong: gz.open_images(array_file, (16, 16), progress=wrong),
            lambda wrong: gz.evaluate(tmp_path, progress=wrong),
            lambda wrong: gz.lab.run("leaky-slope", progress=wrong),
        ]
        for call in calls:
            for wrong in ("yes", 3, [print]):
                with pytest.raises(UsageError, match="progress cannot be"):
                    call(wrong)
        with pytest.raises(UsageError, match="callback cannot be"):
            callback_for(True, print)  # pyright: ignore[reportArgumentType]
        with pytest.raises(UsageError, match="callback is given too"):
            callback_for(print, TrainCallback())
        assert list(tmp_path.iterdir()) == []
