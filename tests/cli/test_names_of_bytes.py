"""Names of files whose bytes are not UTF-8: what can be done with them, and what is said."""

import json
import os
import shutil
from pathlib import Path

import pytest

import ganzfeld as gz
from ganzfeld.cli.commands import commands
from ganzfeld.strict_json import indented_json, strict_json
from tests.cli.test_cli import SETTINGS, call

NAME = os.fsdecode(b"b\xff\xfe")


@pytest.fixture
def data(array_file, tmp_path) -> Path:
    """Images in a file whose name is no text."""
    try:
        return Path(shutil.copy(array_file, tmp_path / f"{NAME}.npy"))
    except OSError:
        pytest.skip("this file system takes no such names")


def test_a_run_of_such_data_is_whole_and_goes_on(data, tmp_path):
    code, told, _ = call("train", data, "--images", 16, "--out", tmp_path / "runs", "--json", *SETTINGS)
    assert code == 0
    run = gz.open_run(json.loads(told)["run"])
    assert run.metadata.data == str(data)
    assert "b\\udcff\\udcfe.npy" in (run.path / "run.json").read_text(encoding="utf-8")
    assert "b\\udcff\\udcfe.npy" in (run.path / "report.html").read_text(encoding="utf-8")
    assert call("resume", run.path, "--images", 24)[0] == 0
    moved = data.rename(data.with_name(f"moved-{data.name}"))
    code, _, said = call("resume", run.path, "--images", 32)
    assert code == 3 and "b\\udcff\\udcfe.npy" in said
    assert call("resume", run.path, "--data", moved, "--images", 32)[0] == 0
    assert run.metadata.data == str(moved)


def test_a_run_in_such_a_folder_is_refused_before_and_told_of_after(data, tmp_path):
    words = "is not a path in UTF-8"
    out = tmp_path / NAME
    code, _, said = call("train", data, "--images", 16, "--out", out, *SETTINGS)
    assert code == 2 and words in said and not out.exists()
    code, told, _ = call("train", data, "--images", 16, "--out", tmp_path / "runs", "--json", *SETTINGS)
    moved = shutil.copytree(json.loads(told)["run"], tmp_path / f"run-{NAME}")
    for asked in (["sample", moved], ["resume", moved, "--images", 96], ["eval", moved, data]):
        code, _, said = call(*asked)
        assert code == 2 and words in said and "damaged" not in said
    with pytest.raises(gz.GanzfeldError, match=words):
        gz.load(moved / "model" / "last")
    assert call("doctor", moved)[0] == 0


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_weights_that_are_no_file_are_damage(make, tmp_path):
    make(tmp_path / "generator.safetensors")
    code, _, said = call("sample", tmp_path)
    assert code == 5 and "not a regular file" in said


def test_what_needs_text_says_so(monkeypatch):
    def fail() -> None:
        NAME.encode()

    monkeypatch.setattr(commands.load("doctor"), "command", fail)
    code, _, said = call("doctor")
    assert code == 2 and "is not UTF-8" in said and "Traceback" not in said


def test_json_of_ours_gives_every_name_back():
    value = {"a": NAME, "b": ["ü \U0001f600", f"{NAME} \\udcff \n"]}
    content = indented_json(value)
    assert strict_json(content, undecodable=True) == value
    assert "ü \U0001f600".encode() in content
