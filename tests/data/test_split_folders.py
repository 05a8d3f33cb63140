"""Folders named train, test and val are one set that was split: said, whatever they lie in."""

import io
import tarfile
from pathlib import Path

import pytest

from ganzfeld.data import open_images
from ganzfeld.data.check.split_folders import part_of, split_folders
from ganzfeld.data.check.survey import survey
from tests.data.making import encoded, fill, noise, zipped


def warned(data: Path) -> list[str]:
    """The texts of the warnings about parts of a set."""
    found = survey(open_images(data, (8, 8))).warnings
    return [each.text for each in found if each.name == "split-folders"]


def tree(root: Path, folders: list[str]) -> Path:
    """A folder with two images in each of these."""
    for number, folder in enumerate(folders):
        fill(root / folder, 2, begin=10 * number)
    return root


@pytest.mark.parametrize(
    ("folders", "first", "second"),
    [
        (["train", "test"], "train", "test"),
        (["Train", "Val", "extra"], "Train", "Val"),
        (["train2017", "val2017"], "train2017", "val2017"),
        (["test_images", "training-set"], "training-set", "test_images"),
        (["dev", "held-out"], "dev", "held-out"),
        (["testA", "testB", "trainA", "trainB"], "trainA", "trainB"),
    ],
)
def test_parts_taken_for_classes(tmp_path: Path, folders: list[str], first: str, second: str):
    root = tree(tmp_path / "set", folders)
    (text,) = warned(root)
    assert "taken for classes" in text
    assert f"Give the folder to train on, {root}/{first}," in text
    assert f"ganzfeld eval RUN {root}/{second}" in text


def test_parts_with_the_classes_in_them(tmp_path: Path):
    root = tree(tmp_path / "set", ["train/cats", "train/dogs", "test/cats", "test/dogs"])
    (text,) = warned(root)
    assert f"{root}/train (cats and dogs are its classes)" in text
    assert open_images(root / "train", (8, 8)).class_names == ["cats", "dogs"]
    assert not warned(root / "train")


def test_parts_within_a_folder_of_their_own(tmp_path: Path):
    root = tree(tmp_path / "set", ["photos/train", "photos/test"])
    (text,) = warned(root)
    assert f"{root}/photos/train," in text


def test_parts_beside_images_are_no_classes_and_still_read_as_one(tmp_path: Path):
    root = tree(tmp_path / "set", [".", "train", "val"])
    (text,) = warned(root)
    assert "all are read. " in text and "classes" not in text.partition("Give")[0]


def test_parts_within_every_class(tmp_path: Path):
    root = tree(tmp_path / "set", ["cats/train", "cats/test", "dogs/train", "dogs/test"])
    (text,) = warned(root)
    assert "with a folder in it for each class" in text


def test_parts_in_archives(tmp_path: Path):
    members = {f"{part}/{n}.png": encoded(noise(8, 8, seed=n)) for n, part in enumerate(["train", "test"])}
    (text,) = warned(zipped(tmp_path / "set.zip", members))
    assert "Unpack it, and give its folder train" in text


def test_shards_of_parts(tmp_path: Path):
    for number, name in enumerate(["train-0000.tar", "train-0001.tar", "val-0000.tar"]):
        content = encoded(noise(8, 8, seed=number))
        with tarfile.open(tmp_path / name, "w") as tar:
            info = tarfile.TarInfo("0.png")
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    (text,) = warned(tmp_path)
    assert "Move the tars of each split into a separate folder" in text


@pytest.mark.parametrize(
    "folders", [["bus", "car", "train"], ["train", "train2"], ["cats", "dogs"], ["trains", "tests"], ["."]]
)
def test_other_folders_are_left_alone(tmp_path: Path, folders: list[str]):
    """A train is a vehicle too, and two folders of one part are no split."""
    assert not warned(tree(tmp_path / "set", folders))


def test_all_words_of_a_name_count():
    named = ["train", "VALID", "dev set", "tst_1", "hold-out", "images.eval", "train (2)", "testb"]
    assert all(map(part_of, named))
    assert not any(map(part_of, ["", "devil", "trainer", "my train", "test tube", "evaluate me", "0001"]))


def test_many_folders_are_bounded():
    names = (f"{n}/train/{n}.png" for n in range(30_000))
    assert split_folders(names) is None
