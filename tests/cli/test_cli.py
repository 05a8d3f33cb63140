"""The command line as a user meets it: output, exit codes, and one clear line for every mistake."""

import contextlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

import numpy as np
import pytest
from PIL import Image

from ganzfeld.cli import main
from ganzfeld.cli.commands.sample import ranges_of
from ganzfeld.errors import UsageError
from ganzfeld.printable import printable
from ganzfeld.training.callbacks import Progress
from ganzfeld.training.progress_display import MovingLine, NotebookLine, PlainLines, shorter_and_shorter
from tests.conftest import blobs
from tests.training.conftest import SMALL

SETTINGS = [word for name, value in SMALL.items() for word in ("--set", f"{name}={value}")]


def call(*arguments: object) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of a command."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    return int(ended.value.code or 0), out.getvalue(), err.getvalue()


@pytest.fixture(scope="module")
def run(array_file, tmp_path_factory):
    """A finished run, made by the command line."""
    out = tmp_path_factory.mktemp("runs")
    code, told, _ = call("train", array_file, "--images", 64, "--out", out, "--json", *SETTINGS)
    assert code == 0
    return json.loads(told)


class TestTrain:
    def test_json_has_the_contracts_keys(self, run):
        assert set(run) >= {
            "run",
            "images_seen",
            "resumed_at_images",
            "seconds",
            "images_per_s",
            "kernel_distance",
        }
        assert run["images_seen"] == 64
        assert run["resumed_at_images"] is None and run["kernel_distance"] is None

    def test_text(self, array_file, tmp_path):
        code, told, progress = call("train", array_file, "--images", 8, "--out", tmp_path, *SETTINGS)
        assert code == 0
        assert "report.html" in told and "ganzfeld sample" in told
        assert "training on 200 colour images at 16x16" in progress
        assert "\x1b" not in told + progress, "no control characters where there is no terminal"

    def test_dry_run(self, array_file, tmp_path):
        out = tmp_path / "runs"
        code, told, _ = call("train", array_file, "--dry-run", "--minutes", 1, "--out", out, *SETTINGS)
        assert code == 0
        assert "would train" in told and "1 min 00 s" in told and "MiB" in told
        assert "Only 200 images" in told
        assert not out.exists()

    def test_stabilisers_that_are_replaced_are_told(self, array_file, tmp_path):
        said = "replace those of the recipe modern: r2 left out"
        options = ["train", array_file, "--images", 8, "--out", tmp_path, *SETTINGS]
        replacing = [*options, "--set", 'stabilisers=[{"name": "r1", "weight": 2.0}]']
        assert said in call(*replacing, "--dry-run")[1] and said in call(*replacing)[2]
        assert "left out" not in call(*options)[2]
        assert "left out" not in call(*options, "--set", "stabilisers=r2,r1,augmentation")[2]


class TestSample:
    def test_a_sheet(self, run, tmp_path):
        code, told, _ = call("sample", run["run"], "--n", 4, "--out", tmp_path / "sheet.png", "--json")
        assert code == 0
        assert json.loads(told)["num_pictures"] == 4
        with Image.open(tmp_path / "sheet.png") as sheet:
            assert sheet.size == (34, 34)

    def test_a_card_that_contradicts_the_model_is_told_in_one_line(self, run, tmp_path):
        model = tmp_path / "model"
        shutil.copytree(Path(run["run"]) / "model" / "last", model)
        card = json.loads((model / "card.json").read_text())
        (model / "card.json").write_text(json.dumps(card | {"seed": 1234}))
        out = tmp_path / "sheet.png"
        code, told, complaint = call("sample", model, "--n", 2, "--out", out, "--json")
        assert code == 0 and json.loads(told)["num_pictures"] == 2
        assert complaint.startswith(f"warning: {model / 'card.json'} contradicts generator.safetensors")
        assert len(complaint.splitlines()) == 1 and "(seed)" in complaint

    def test_a_folder_has_exactly_one_file_a_seed(self, run, tmp_path):
        assert call("sample", run["run"], "--seeds", "3,70-140", "--out", tmp_path / "new" / "many")[0] == 0
        names = sorted(path.name for path in (tmp_path / "new" / "many").iterdir())
        assert names == [f"{seed:06d}.png" for seed in [3, *range(70, 141)]]
        assert call("sample", run["run"], "--seeds", "70", "--out", tmp_path / "one")[0] == 0
        alone, among = (
            np.asarray(Image.open(folder / "000070.png"))
            for folder in (tmp_path / "one", tmp_path / "new" / "many")
        )
        assert np.array_equal(alone, among)

    def test_a_folder_with_images_of_other_seeds_is_refused(self, run, tmp_path):
        assert call("sample", run["run"], "--seeds", "3-5", "--out", tmp_path)[0] == 0
        assert call("sample", run["run"], "--seeds", "3-5", "--out", tmp_path)[0] == 0, "the same again"
        assert call("sample", run["run"], "--n", "6", "--out", tmp_path)[0] == 0, "and more"
        (tmp_path / "notes.txt").write_text("mine")
        code, told, complaint = call("sample", run["run"], "--seeds", "3,4", "--out", tmp_path)
        assert (code, told) == (2, "")
        assert "holds other images" in complaint and "nothing is deleted" in complaint
        assert len(list(tmp_path.iterdir())) == 7

    @pytest.mark.parametrize("name", ["cat.png", "0000003.png", "3.png", "000003.PNG"])
    def test_a_folder_with_other_images_is_refused(self, run, tmp_path, name):
        (tmp_path / name).write_bytes(b"mine")
        assert call("sample", run["run"], "--seeds", "3", "--out", tmp_path)[0] == 2
        assert [path.name for path in tmp_path.iterdir()] == [name]

    def test_the_default_is_a_sheet_here(self, run, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        assert call("sample", run["run"])[0] == 0
        assert [path.name for path in tmp_path.iterdir()] == ["blobs-001-sample.png"]

    @pytest.mark.parametrize(
        "options",
        [
            ["--n", "0"],
            ["--n", "-3"],
            ["--n", "x"],
            ["--n", "1000000000", "--out", "x.png"],
            ["--seeds", "9-3"],
            ["--seeds", "a"],
            ["--seeds", ""],
            ["--seeds", "-5"],
            ["--n", "3", "--seeds", "1"],
            ["--out", "sheet.jpg"],
            ["--truncation", "-1"],
            ["--truncation", "nan"],
            ["--seeds", "99999999999999999999"],
            ["--seeds", "0-99999999999999999999"],
        ],
    )
    def test_mistakes(self, run, tmp_path, monkeypatch, options):
        monkeypatch.chdir(tmp_path)
        code, told, complaint = call("sample", run["run"], *options)
        assert (code, told) == (2, "")
        assert complaint.startswith("error: ")
        assert list(tmp_path.iterdir()) == []

    def test_no_run(self, tmp_path):
        code, _, complaint = call("sample", tmp_path / "nowhere")
        assert code == 2
        assert "there is no run at" in complaint

    def test_a_damaged_model(self, run, tmp_path):
        (tmp_path / "generator.safetensors").write_bytes(b"\0" * 100)
        code, told, complaint = call("sample", tmp_path, "--json")
        assert code == 5
        assert "is damaged" in json.loads(told)["error"]
        assert "is damaged" in complaint

    def test_a_folder_that_cannot_be_written(self, run, tmp_path):
        (tmp_path / "file").write_text("in the way")
        assert call("sample", run["run"], "--out", tmp_path / "file" / "x.png")[0] == 6
        assert call("sample", run["run"], "--out", tmp_path / "file")[0] == 6


@pytest.fixture(scope="module")
def run_by_class(tmp_path_factory):
    """A run on images of three classes, made by the command line."""
    out = tmp_path_factory.mktemp("by class")
    for number, image in enumerate(blobs(30, 16)):
        folder = out / "pets" / ("cat", "dog", "ünïcorn")[number % 3]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(folder / f"{number}.png")
    options = ["--images", 16, "--out", out, "--set", "classes=projection", *SETTINGS]
    code, told, progress = call("train", out / "pets", "--json", *options)
    assert code == 0
    assert "30 colour images of 3 classes at 16x16" in progress
    return json.loads(told)["run"]


class TestClasses:
    def test_one_class_and_all_in_turn(self, run_by_class, tmp_path):
        assert call("sample", run_by_class, "--n", 6, "--out", tmp_path / "all")[0] == 0
        for label, name in enumerate(("cat", "dog", "ünïcorn")):
            code, told, _ = call(
                "sample", run_by_class, "--n", 6, "--class", name, "--out", tmp_path / name, "--json"
            )
            assert (code, json.loads(told)["class"]) == (0, name)
            for seed in range(6):
                alone, among = (
                    (tmp_path / folder / f"{seed:06d}.png").read_bytes() for folder in (name, "all")
                )
                assert (alone == among) == (seed % 3 == label)

    @pytest.mark.parametrize(
        ("options", "columns"),
        [(["--n", 30], 6), (["--n", 30, "--class", "dog"], 6), (["--n", 14], 3), (["--seeds", "1,4-16"], 4)],
    )
    def test_a_sheet_has_a_column_for_each_class_in_turn(self, run_by_class, tmp_path, options, columns):
        assert call("sample", run_by_class, *options, "--out", tmp_path / "sheet.png")[0] == 0
        with Image.open(tmp_path / "sheet.png") as sheet:
            assert sheet.width == columns * 18 - 2

    def test_mistakes(self, run, run_by_class, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        for where, name, hint in (
            (run_by_class, "dogg", "Did you mean dog?"),
            (run_by_class, "", "Known: cat, dog, ünïcorn."),
            (run["run"], "dog", "classes=projection"),
        ):
            code, told, complaint = call("sample", where, "--class", name)
            assert (code, told) == (2, "")
            assert hint in complaint
        assert list(tmp_path.iterdir()) == []

    def test_data_without_classes(self, array_file, tmp_path):
        options = ["--images", 16, "--out", tmp_path, *SETTINGS, "--json"]
        code, told, _ = call("train", array_file, *options, "--set", "classes=projection")
        assert code == 3
        assert "have no classes" in json.loads(told)["error"]
        assert "classes=none" in json.loads(told)["hint"]
        code, told, _ = call("train", array_file, *options, "--set", "classes=projektion")
        assert code == 2
        assert json.loads(told)["hint"] == "Did you mean projection?"
        assert list(tmp_path.iterdir()) == []


class TestPlan:
    def test_json_has_the_contracts_keys(self):
        code, told, _ = call("plan", 64, "--recipe", "radford2015", "--json")
        assert code == 0
        planned = json.loads(told)
        assert planned["generator"]["parameters"] == 3_576_704
        assert planned["discriminator"]["parameters"] == 2_765_568
        for side, sizes in (("generator", [8, 16, 32, 64]), ("discriminator", [32, 16, 8, 4])):
            layers = planned[side]["layers"]
            assert [layer["size"] for layer in layers] == [[size, size] for size in sizes]
            assert [layer["field"] for layer in layers] == [[4, 4], [10, 10], [22, 22], [46, 46]]
            for layer in layers:
                assert (layer["kernel"], layer["stride"], layer["padding"]) == ([4, 4], [2, 2], [1, 1])
                assert layer["overlap"] == [2]

    def test_axes_keep_the_order_given(self):
        planned = json.loads(call("plan", "33x47", "--json")[1])
        assert planned["generator"]["layers"][-1]["size"] == [33, 47]
        assert planned["discriminator"]["layers"][0]["size"] == [32, 46]

    @pytest.mark.parametrize(("dims", "axes"), [(1, [64]), (2, [64, 64]), (3, [64, 64, 64])])
    def test_dimensions(self, dims, axes):
        planned = json.loads(call("plan", 64, "--dims", dims, "--json")[1])
        assert planned["generator"]["layers"][-1]["size"] == axes

    def test_a_ladder_of_your_own(self):
        code, told, _ = call("plan", 96, "--ladder", "96,32,16,8,3")
        assert code == 0
        assert "3x3 -> logit" in told and "receptive field" in told
        assert "checkerboard" in call("plan", 33, "--ladder", "33,16")[1]

    @pytest.mark.parametrize(
        "arguments",
        [["7"], ["0"], ["64x"], ["-5"], ["64", "--dims", "5"], ["96", "--ladder", "32,16"], ["9" * 30]],
    )
    def test_mistakes(self, arguments):
        code, told, complaint = call("plan", *arguments)
        assert (code, told) == (2, "")
        assert "error: " in complaint


def test_env():
    code, told, _ = call("env", "--json")
    assert code == 0
    assert {"torch", "device", "precision", "threads", "cache_writable", "runs_writable"} <= set(
        json.loads(told)
    )


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["trian"], 2, "train"),
        (["train", "--sise", "64"], 2, "--size"),
        (["train", "--size", "four"], 2, "four"),
        (["train", "--minutes", "soon"], 2, "soon"),
        (["train", "/nowhere/at/all"], 3, "/nowhere"),
        (["train", "--recipe", "modrn"], 2, "modern"),
        (["train", "--set", "generator.widht=3"], 2, "generator.width"),
        (["train", "--size", "4"], 2, "8"),
        (["train", "--batch", "1"], 2, "batch"),
        (["train", "--out", "/proc/nowhere"], 6, "/proc/nowhere"),
        (["train", "--device", "cuda:99"], 6, "CUDA"),
    ],
)
def test_one_clear_line_for_a_mistake(arguments, code, words):
    for as_json in ([], ["--json"]):
        found, told, complaint = call(*arguments, *as_json)
        assert found == code
        assert "Traceback" not in complaint
        assert words in complaint
        assert len(complaint.splitlines()) <= 2
        if as_json:
            assert set(json.loads(told)) == {"error", "hint"}
        else:
            assert told == ""


def test_the_installed_command():
    done = subprocess.run([sys.executable, "-m", "ganzfeld", "--version"], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.strip()


def test_a_reader_that_leaves_early():
    process = subprocess.Popen(
        [sys.executable, "-m", "ganzfeld", "plan", "64"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()
    told = process.stderr.read().decode()
    process.stderr.close()
    process.wait()
    assert "Traceback" not in told


def test_an_encoding_that_lacks_characters():
    for words in (["plan", "64"], ["plan", "64", "--json"]):
        done = subprocess.run(
            [sys.executable, "-m", "ganzfeld", *words],
            capture_output=True,
            env={**os.environ, "PYTHONIOENCODING": "ascii"},
        )
        assert (done.returncode, done.stderr) == (0, b"")


def test_ranges():
    assert ranges_of("0-3, 7") == [range(4), range(7, 8)]
    with pytest.raises(UsageError):
        ranges_of("1--3")


def test_names_cannot_reach_the_terminal():
    assert printable("a\x1b[31mb\nc\udcff") == "a\\x1b[31mb\\nc\\udcff"


@dataclass
class Written:
    """What is written to a terminal: all of it once that is closed, however late it gets through."""

    terminal: TextIO
    pieces: list[bytes] = field(default_factory=list)

    def text(self) -> str:
        return b"".join(self.pieces).decode()


@contextlib.contextmanager
def a_terminal() -> Iterator[Written]:
    """A terminal that is open for the block, and read by a thread as it is written."""
    master, slave = os.openpty()
    written = Written(os.fdopen(slave, "w"))

    def read() -> None:
        with contextlib.suppress(OSError):  # how Linux says that the other end was closed
            while piece := os.read(master, 4096):
                written.pieces.append(piece)

    reader = threading.Thread(target=read)
    reader.start()
    try:
        yield written
    finally:
        written.terminal.close()
        reader.join()
        os.close(master)


@pytest.mark.parametrize("columns", [30, 40, 70, 90, 120])
def test_the_moving_line_fits_the_terminal(columns, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("TERM", "xterm")
    with a_terminal() as written, contextlib.redirect_stderr(written.terminal):
        callback = MovingLine()
        callback.read(Progress(1_234_567, 3700.0, 1234.0, 7500.0, 0.6931, 12.345))
        callback.ended()
    shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", written.text())
    lines = [line.strip() for line in shown.replace("\r", "\n").split("\n") if line.strip()]
    assert lines and all(len(line) <= columns for line in lines)
    assert all("…" not in line and "2 h 05 min left" in line for line in lines), lines
    assert ("D 12.345" in lines[-1]) == (columns >= 70)
    assert ("images" in lines[-1]) == (columns >= 90)


@pytest.mark.parametrize("columns", [1, 10, 20])
def test_nor_does_it_break_in_a_narrow_one(columns, monkeypatch):
    """It is cut short, and takes one line all the same."""
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("TERM", "xterm")
    with a_terminal() as written, contextlib.redirect_stderr(written.terminal):
        callback = MovingLine()
        callback.preparing(3, 10, "measuring quality, 2 of 3")
        callback.read(Progress(1_234_567, 3700.0, 1234.0, 7500.0, 0.6931, 12.345))
        callback.ended()
    shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", written.text())
    lines = [line.rstrip() for line in shown.replace("\r", "\n").split("\n")]
    assert all(len(line) <= columns for line in lines)
    assert columns < 20 or any("2 h" in line for line in lines)


@pytest.mark.parametrize("kind", [PlainLines, MovingLine, NotebookLine])
def test_watchers_show_every_state(kind, capsys):
    callback = kind()
    callback.preparing(1, 10, "decoding images")
    callback.preparing(10, 10, "decoding images")
    first = Progress(10, 1.0, 0.0, None, 0.5, 0.6)
    callback.read(first)
    assert shorter_and_shorter(first)[0] == "10 images, loss G 0.500 D 0.600", "what is not known is left out"
    assert shorter_and_shorter(first)[-1] == "10"
    callback.read(Progress(10, 1.0, 5.0, 0, 0.5, 0.6))
    callback.noted("left out a.png: [bold]truncated")
    callback.abandoned()
    callback.ended()
    told = capsys.readouterr().err
    assert "without saving" in told
    assert "left out a.png: [bold]truncated" in told
