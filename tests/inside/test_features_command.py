"""``ganzfeld features``: the files, the sentences, and one clear line for every mistake."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import ganzfeld as gz
from ganzfeld.output import Mark, mark_of
from tests.cli.test_cli import call
from tests.inside.conftest import Command


def test_all_that_is_asked_for_is_written_and_said(run: gz.Run, class_folders: Path, command: Command):
    options = ("--out", "x.npz", "--probe", "classes", "--filters", "--guided", 2)
    code, result = command("features", run.path, class_folders / "by class", *options)
    assert code == 0
    names = [Path(path).name for path in result["files"]]
    assert names == ["x.npz", "x-guided.png", "x-filters.png"]
    marks = [mark_of(Path(path)) for path in result["files"]]
    assert marks == [Mark.FEATURES, Mark.STRONGEST_IMAGES, Mark.FILTERS]
    data = np.load("x.npz")
    assert data["features"].shape == (60, result["features"]["num"]) and result["images"] == 60
    assert result["features"]["shapes"] == dict(
        zip(data["layers"].tolist(), data["shapes"].tolist(), strict=True)
    )
    probe = result["probe"]
    assert probe["discriminator"]["low"] <= probe["discriminator"]["value"] <= probe["discriminator"]["high"]
    assert probe["num_labels"] + probe["num_tested"] == 60
    assert [entry["unit"] for entry in result["guided"]["units"]] == [0, 1]
    assert all(result[part]["sentence"] in result["sentence"] for part in ("probe", "guided", "filters"))
    with Image.open("x-guided.png") as image:
        assert image.mode == "RGB"
    again, _ = command("features", run.path, class_folders / "by class", "--out", "x.npz", "--filters")
    assert again == 0


def test_features_alone_are_the_default(conditional_run: gz.Run, command: Command):
    code, result = command("features", conditional_run.path)
    assert code == 0 and [Path(path).suffix for path in result["files"]] == [".npz"]
    labels = np.load(result["files"][0])["labels"]
    assert set(labels.tolist()) == set(conditional_run.classes)


def test_files_of_the_user_are_not_replaced(run: gz.Run, tmp_path: Path):
    for name, options in (
        ("x.npz", ()),
        ("x-filters.png", ("--filters",)),
        ("x-guided.png", ("--guided", 1)),
    ):
        (tmp_path / name).write_bytes(b"mine")
        code, _, complaint = call("features", run.path, "--out", tmp_path / "x.npz", *options)
        assert code == 2 and "exists already" in complaint
        assert (tmp_path / name).read_bytes() == b"mine"
        (tmp_path / name).unlink()


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (("--layer", "layer-9"), 2, "unknown layer"),
        (("--guided", "99"), 2, "units"),
        (("--unit", "99"), 2, "no unit 99"),
        (("--guided", "1", "--layer", "layer-1", "--layer", "layer-2"), 2, "one layer at a time"),
        (("--probe", "classes"), 3, "no labels"),
        (("--probe", "nothing.csv"), 2, "labels are for image files with names"),
        (("--probe", "classes", "--labels", "3"), 2, "at least 20 labels"),
        (("--drop", "class=red"), 3, "nothing is known"),
        (("--drop", "99"), 2, "no map 99"),
        (("--drop", "1,1"), 2, "named twice"),
        (("--drop", "1", "--drop-layer", "layer-9"), 2, "no 'layer-9'"),
        (("--filters", "--drop-layer", "layer-1"), 2, "is for --drop"),
        (("--out", "x.txt"), 2, "does not end in .npz"),
        (("nothing.png",), 3, "nothing at"),
    ],
)
def test_mistakes(
    run: gz.Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    options: tuple[str, ...],
    code: int,
    message: str,
):
    monkeypatch.chdir(tmp_path)
    ended, text, complaint = call("features", run.path, *options)
    assert (ended, text) == (code, "") and message in complaint and "Traceback" not in complaint
    assert list(tmp_path.iterdir()) == []


def test_images_of_another_size_or_channels_are_refused(run: gz.Run, tmp_path: Path):
    large, grey = tmp_path / "large.npy", tmp_path / "grey.npy"
    np.save(large, np.zeros((20, 20, 20, 3), np.uint8))
    np.save(grey, np.random.default_rng(0).integers(0, 255, (20, 16, 16), np.uint8))
    for path, message in ((large, "20x20 px"), (grey, "grey image")):
        code, _, complaint = call("features", run.path, path, "--out", tmp_path / "x.npz")
        assert code == 3 and message in complaint
        assert call("features", run.path, path, "--fit", "--out", tmp_path / "x.npz")[0] == 0


def test_without_a_discriminator_it_says_why(run: gz.Run, tmp_path: Path):
    shutil.copytree(run.path, tmp_path / "other")
    shutil.rmtree(tmp_path / "other" / "checkpoints")
    code, text, complaint = call("features", tmp_path / "other", "--filters", "--json")
    assert code == 5 and "no checkpoint" in complaint and "no checkpoint" in json.loads(text)["error"]
    assert call("features", run.path / "model" / "last")[0] == 2, "a model folder has no discriminator"
